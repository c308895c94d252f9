"""The trials of durability in a short form, and that each notices a step left out."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vecsearch
from durability import breakages, damage, interrupts, kills, power, refusals, repairs
from durability.scenarios import OLDER
from durability.trial import Trial
from durability.workers import Breakage, pool
from vecsearch.cli.interrupt_message import interrupted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are forked")


@pytest.mark.parametrize(
    ("trial", "times"),
    [
        (kills.TRIAL, 60),
        (power.TRIAL, 60),
        (damage.TRIAL, 60),
        (repairs.TRIAL, 20),
        (refusals.TRIAL, 60),
        (interrupts.TRIAL, 4),
    ],
    ids=lambda value: value.name if isinstance(value, Trial) else "",
)
def test_nothing_is_lost(trial: Trial, times: int, tmp_path: Path) -> None:
    outcome = trial.run(times, 0, tmp_path)
    assert outcome.tried == times
    assert outcome.failures == []


def test_the_seam_sees_every_change(tmp_path: Path) -> None:
    with pool(tmp_path / "scenarios") as workers:
        for place, reference in workers.references.items():
            disk = power.Disk(reference.recorded_at, reference.start)
            for operation in reference.operations().values():
                disk.do(operation)
            again = tmp_path / place.name
            disk.lose_power(again, power.Loss(1, 1, 1), random.Random(0))
            assert _tree(again) == _tree(reference.recorded_at), reference.scenario.name


def _tree(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_an_older_index_answers_as_it_did(tmp_path: Path) -> None:
    known = json.loads(OLDER.with_suffix(".json").read_text())
    shutil.copytree(OLDER, tmp_path / "index")
    with vecsearch.open_index(tmp_path / "index") as index:
        images, vectors = index.vectors()
        results = index.search(vectors, k=5)
    assert {str(image.path): image.id for image in images} == {
        path: number for path, (number, _) in known.items()
    }
    for image, result in zip(images, results, strict=True):
        hits = {hit.id: hit.score for hit in result.hits if hit.id != image.id}
        assert hits == pytest.approx(dict(known[str(image.path)][1]), abs=1e-3)


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


def test_damage_is_noticed_by_its_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage.make_index(tmp_path)
    monkeypatch.setattr(
        "vecsearch.store.snapshot.check_file", lambda folder, record, **_: folder / record.name
    )
    monkeypatch.setattr("vecsearch.store.audit.check_file", lambda *_, **__: None)
    failures = damage.damage_many(str(tmp_path), 0, 60)
    assert any("wrong answers" in failure for failure in failures)
    assert any("is not found by verify" in failure for failure in failures)


def test_a_repair_that_is_none_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecsearch.maintenance.repair.compact_segments", lambda *_: None)
    assert repairs.run(6, 0, tmp_path).failures


def test_an_import_that_is_interrupted_is_no_failure(tmp_path: Path) -> None:
    """As openvino's: what the signal raises comes out as an ImportError."""
    code = """
import signal
import vecsearch.cli.info
from vecsearch.cli.interrupt_message import interrupted
from vecsearch.cli import main
def broken(index, **_):
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("initialization failed")
vecsearch.cli.info.open_queryable = broken
import sys
sys.argv = ["vecsearch", "info"]
main.run()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "vecsearch: interrupted\n"


@pytest.mark.parametrize("delay_ms", [0, 5, 10, 20, 40, 60, 100, 200])
def test_ctrl_c_while_the_program_is_loaded_leaves_no_trace(index: Path, delay_ms: int) -> None:
    assert interrupts.interrupt_start(index, delay_ms / 1000) == []


@pytest.mark.parametrize("press", ["main.cli.main = drop", "output.complain = raise_it"])
def test_ctrl_c_at_any_moment_is_told_once(press: str) -> None:
    """In a destructor, where Python swallows it, and while an error is told of."""
    code = f"""
import signal, sys
from vecsearch.cli import main, output
def raise_it(*_):
    signal.raise_signal(signal.SIGINT)
class Dropped:
    __del__ = raise_it
def drop(**_):
    Dropped()
{press}
sys.argv = ["vecsearch", "info", "-i", "nowhere"]
main.run()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "vecsearch: interrupted\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_does_not_listen_is_ended(number: int) -> None:
    code = """
import time
from vecsearch.cli.interrupt import end_within_a_second
end_within_a_second()
while True:
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert complaint == "vecsearch: interrupted\n"


@pytest.mark.parametrize(("command", "kept"), [("query", False), ("merge", True)])
def test_only_what_writes_speaks_of_commits(
    command: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["vecsearch", command, "x"])
    assert ("what was committed is kept" in interrupted()) == kept
