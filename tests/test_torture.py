"""The trials of durability in a short form, and that each notices a step left out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torture import breakages, kills, power, refusals
from torture.trial import Trial
from torture.workers import Breakage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are forked")


@pytest.mark.parametrize("trial", [kills.TRIAL, power.TRIAL, refusals.TRIAL], ids=lambda t: t.name)
def test_nothing_is_lost(trial: Trial, tmp_path: Path) -> None:
    outcome = trial.run(60, 0, tmp_path)
    assert outcome.tried == 60
    assert outcome.failures == []


@pytest.mark.parametrize(
    ("breakage", "words"),
    [
        (breakages.named_before_complete, "is gone"),
        (breakages.orphans_first, "is gone"),
        (breakages.no_journal, "is damaged"),
    ],
)
def test_kills_notice(breakage: Breakage, words: str, tmp_path: Path) -> None:
    failures = kills.run(100, 0, tmp_path, breakage).failures
    assert any(words in failure for failure in failures)


@pytest.mark.parametrize(
    ("breakage", "words"),
    [
        (breakages.no_fsync_of_files, "is not what was written"),
        (breakages.no_fsync_of_folders, "is gone"),
        (breakages.no_checksums, "vector is zero"),
        (breakages.no_synchronous, "is damaged"),
    ],
)
def test_power_losses_notice(breakage: Breakage, words: str, tmp_path: Path) -> None:
    failures = power.run(60, 0, tmp_path, breakage).failures
    assert any(words in failure for failure in failures)


def test_refusals_notice(tmp_path: Path) -> None:
    failures = refusals.run(40, 0, tmp_path, breakages.refusals_escape).failures
    assert any("crashed" in failure for failure in failures)
