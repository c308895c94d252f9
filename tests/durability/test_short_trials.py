"""More trials in a short form, and that each fails when the code is broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durability import (
    arguments,
    askers,
    crowd,
    cycles,
    model,
    pictures,
    readers,
    received,
    sabotage,
    served,
    trees,
)
from durability.trial import Trial
from vecsearch.images.sources.scan import Scan
from vecsearch.indexing.diff import Plan
from vecsearch.indexing.plan_build import plan_build
from vecsearch.indexing.stage import Stage
from vecsearch.indexing.worklist import Worklist
from vecsearch.search.index_reader import IndexReader
from vecsearch.store import lookups, segments

Patch = pytest.MonkeyPatch


@pytest.mark.parametrize(
    ("trial", "times"),
    [
        (pictures.TRIAL, 400), (crowd.TRIAL, 3), (model.TRIAL, 2), (trees.TRIAL, 4),
        (cycles.TRIAL, 25), (received.TRIAL, 60), (readers.TRIAL, 480), (askers.TRIAL, 120),
        (arguments.TRIAL, 12), (served.TRIAL, 120),
    ],
    ids=lambda value: value.name if isinstance(value, Trial) else "",
)  # fmt: skip
def test_a_short_trial_finds_nothing(trial: Trial, times: int, tmp_path: Path) -> None:
    outcome = trial.run(times, 0, tmp_path)
    assert outcome.failures == []
    assert outcome.tried == times


@pytest.mark.parametrize(
    ("work", "sign"),
    [
        (sabotage.raises, "raised KeyError('a')"),
        (sabotage.says_nothing, "is not one line"),
        (sabotage.dies, "died or hung (3)"),
        (sabotage.warns, "wrote to stderr: b'oh'"),
        (sabotage.swells, "MiB of memory"),
        (sabotage.dawdles, "took"),
    ],
)
def test_a_bad_decoder_is_noticed(
    work: Callable[..., None], sign: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(pictures, "work", work)
    outcome = pictures.run(2, 0, tmp_path)
    assert outcome.tried == 2
    assert sum(sign in failure for failure in outcome.failures) == 2


@pytest.mark.parametrize(
    ("work", "sign"),
    [(sabotage.misreads, "raised KeyError('a') in"), (sabotage.meddles, "something outside")],
)
def test_a_bad_reader_is_noticed(
    work: Callable[..., None], sign: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(readers, "work", work)
    outcome = readers.run(48, 0, tmp_path)
    assert any(sign in failure for failure in outcome.failures)


@pytest.mark.parametrize(
    ("work", "sign"),
    [(sabotage.torn, "torn"), (sabotage.without_lock, ""), (sabotage.vanishes, "died")],
)
def test_a_disorderly_crowd_is_noticed(
    work: Callable[..., None], sign: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(crowd, "work", work)
    assert any(sign in failure for failure in crowd.run(3, 0, tmp_path).failures)


@pytest.mark.parametrize(
    ("ask", "signs"),
    [
        (sabotage.with_one_request, ["RuntimeError"]),
        (sabotage.without_turns, ["says ['IndexFolderError']"]),
        (sabotage.of_the_first_generation, ["the last says", "IndexOutdatedError"]),
        (sabotage.for_ever, ["the threads hung"]),
        (sabotage.vanishes, ["a process died"]),
    ],
)
def test_threads_that_get_wrong_answers_are_noticed(
    ask: Callable[..., None], signs: list[str], tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(askers, "HUNG_S", 3.0 if ask is sabotage.for_ever else 60.0)
    monkeypatch.setattr(askers, "WAYS", askers.WAYS[:1])
    failures = askers.run(80, 0, tmp_path, ask).failures
    assert any(sign in failure for failure in failures for sign in signs)


def test_a_fault_by_an_argument_is_noticed(index: Path, monkeypatch: Patch) -> None:
    assert arguments.call(["info", "-i", str(index)]) == ("done", "")
    assert arguments.call(["info", "-i", "nowhere"]) == ("refused", "")
    monkeypatch.setattr("vecsearch.cli.info.open_queryable", lambda *_, **__: 1 / 0)
    ending, wrong = arguments.call(["info", "-i", str(index)])
    assert ending == "failed"
    assert "ZeroDivisionError" in wrong


def forget_deleted_rows(monkeypatch: Patch) -> None:
    monkeypatch.setattr(IndexReader, "_deleted_in", lambda self, _: self.snapshot.deleted_rows[:0])


def forget_the_generation(monkeypatch: Patch) -> None:
    monkeypatch.setattr(lookups, "_LIVE", "died IS NULL")


def forget_what_was_removed(monkeypatch: Patch) -> None:
    monkeypatch.setattr("vecsearch.store.statements.remove_image", lambda *_: None)


def mix_up_compaction(monkeypatch: Patch) -> None:
    real = segments.live_blocks

    def live_blocks(*given: Any) -> Any:
        return (block[::-1] for block in real(*given))

    monkeypatch.setattr("vecsearch.indexing.compaction.live_blocks", live_blocks)


def leave_orphans(monkeypatch: Patch) -> None:
    monkeypatch.setattr("vecsearch.store.writer.delete_unnamed", lambda *_: None)


@pytest.mark.parametrize(
    "break_",
    [
        forget_deleted_rows,
        forget_the_generation,
        forget_what_was_removed,
        mix_up_compaction,
        leave_orphans,
    ],
)
def test_a_store_that_differs_from_the_dictionary_is_noticed(
    break_: Callable[[Patch], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    break_(monkeypatch)
    assert model.run(2, 0, tmp_path).failures


def believe_what_cannot_be_seen(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Scan, "sees", lambda *_: lambda _: True)


def keep_quiet(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Stage, "skip", lambda *_: None)


def know_nothing(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Stage, "knows", lambda *_: False)


@pytest.mark.parametrize(
    ("break_", "sign"),
    [
        (believe_what_cannot_be_seen, "lost "), (keep_quiet, "neither in the index nor skipped"),
        (know_nothing, "embedded again"),
    ],
)  # fmt: skip
def test_a_build_that_misjudges_a_tree_is_noticed(
    break_: Callable[[Patch], None], sign: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    break_(monkeypatch)
    assert any(sign in failure for failure in trees.run(3, 0, tmp_path).failures)


def test_a_build_that_breaks_off_is_noticed(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Stage, "skip", lambda *_: 1 / 0)
    assert "aborted" in trees.run(1, 0, tmp_path).failures[0]


def never_compact(monkeypatch: Patch) -> None:
    monkeypatch.setattr("vecsearch.indexing.build.compact_if_due", lambda *_: None)
    monkeypatch.setattr(cycles, "MOST_FILES", 12)


def leak(monkeypatch: Patch) -> None:
    kept = []

    def plan(*given: Any, **named: Any) -> Plan:
        kept.append(b"x" * (16 << 20))
        return plan_build(*given, **named)

    monkeypatch.setattr("vecsearch.indexing.build.plan_build", plan)


def mistake_moves(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Worklist, "take_gone", lambda *_: None)


@pytest.mark.parametrize(
    ("break_", "sign"),
    [
        (never_compact, "files"), (leak, "the process grew"), (leave_orphans, "times a fresh one"),
        (mistake_moves, "instead of"),
    ],
)  # fmt: skip
def test_updates_that_go_wrong_are_noticed(
    break_: Callable[[Patch], None], sign: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    break_(monkeypatch)
    assert any(sign in failure for failure in cycles.run(25, 0, tmp_path).failures)
