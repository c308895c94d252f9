"""A pytest plugin: the lines that are run are recorded by test, those of child processes too."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Final

import coverage
import pytest

TEST: Final = "VECSEARCH_MUTANTS_TEST"
"""The environment variable by which a child process knows the test that started it."""

TIMES: Final = "VECSEARCH_MUTANTS_TIMES"
"""The environment variable that names the file for the seconds of each test that passed."""

_seconds: dict[str, float] = {}
_failed: set[str] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    measured = coverage.Coverage.current()
    os.environ[TEST] = item.nodeid
    if measured is not None:
        measured.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        os.environ.pop(TEST, None)
        if measured is not None:
            measured.switch_context("")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration
    if report.failed or report.skipped:
        _failed.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if TIMES in os.environ and not hasattr(session.config, "workerinput"):
        passed = {name: took for name, took in _seconds.items() if name not in _failed}
        Path(os.environ[TIMES]).write_text(json.dumps(passed))
