"""The API is what its description says, also for requests that nobody would think of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from samples import CHEAP, draw
from server_process import running

import vecsearch

NOT_IN_THE_SCHEMA = "positive_data_acceptance"
"""What a schema cannot say: what is a date, what goes together, how long the vectors are."""

CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
negative_data_rejection.expected-statuses = ["4xx", 503]
"""


def test_what_is_generated_from_the_description_is_answered_as_it_says(tmp_path: Path) -> None:
    """Nothing is answered by 500, and all answers have the statuses, types and schemas described.

    By hand it is run for longer, with --max-examples 1000 and other seeds.
    """
    pytest.importorskip("schemathesis")
    for number in range(3):
        draw(tmp_path / "photos" / f"{number}.png", number)
    index = vecsearch.build(tmp_path / "photos", index=tmp_path / "index", encoder=CHEAP).index
    with running(tmp_path / "server", index) as started:
        (tmp_path / "config.toml").write_text(CONFIG)
        command = [sys.executable, "-m", "schemathesis.cli"]
        command += ["--config-file", str(tmp_path / "config.toml"), "run"]
        command += [f"{started.url}api/v1/openapi.json", "--url", started.url]
        command += ["--phases", "coverage,fuzzing", "--max-examples", "3", "--seed", "0"]
        command += ["--exclude-checks", NOT_IN_THE_SCHEMA, "--generation-database", "none"]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        described = json.load(urlopen(f"{started.url}api/v1/openapi.json"))
        log = started.log.read_text()
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    operations = sum(map(len, described["paths"].values()))
    assert f"Tested: {operations}" in done.stdout
    assert "fault" not in log
    assert "Traceback" not in log
