"""What ``eval`` measures, against brute force."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import pytest
from samples import Run
from synthetic import add_vectors, draw_vectors, make_index

import vecsearch
from vecsearch import UsageError
from vecsearch.ann.searcher import CodedRows
from vecsearch.ann.tuning import judging_queries
from vecsearch.cli.main import cli
from vecsearch.evaluation.confidence import interval
from vecsearch.search import index_reader
from vecsearch.search.index_reader import IndexReader
from vecsearch.store.snapshot import Snapshot
from vecsearch.types import Vectors

DIM = 48
COARSE = "IVF32,PQ12x4fs"


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Keep FAISS's threads from waiting for each other where other work is going on."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


@pytest.fixture
def approximate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of 2,400 vectors in two approximate bases, image 32 a copy of image 31."""
    monkeypatch.setattr(index_reader, "_FEW_VALUES", 0)
    vectors = draw_vectors(2400, DIM, 1)
    vectors[31] = vectors[30]  # every tenth from the first is held out, every second of them judges
    folder = make_index(tmp_path / "index", vectors[:1200], COARSE)
    add_vectors(folder, vectors[1200:], 1200)
    vecsearch.compact(folder, segment_bytes=2 * DIM * 1200)
    return folder


def best_scores(xq: Vectors, rows: npt.NDArray[np.float16], k: int) -> npt.NDArray[np.float64]:
    scores = xq.astype(np.float64) @ rows.astype(np.float64).T
    return -np.sort(-scores, axis=1)[:, :k]


def test_recall_is_of_what_the_bases_have(approximate: Path) -> None:
    add_vectors(approximate, draw_vectors(30, DIM, 2), 2400)
    vecsearch.remove(*[f"id:{number}" for number in range(1, 90, 4)], index=approximate)
    before = (approximate / "catalog.sqlite").read_bytes()
    report = vecsearch.evaluate(approximate, k=7)
    assert (approximate / "catalog.sqlite").read_bytes() == before

    with closing((it := IndexReader(Snapshot(approximate))).snapshot):
        deleted = it.snapshot.deleted_rows
        bases = sorted(it.snapshot.bases.values(), key=lambda base: base.first_row)
        assert len(bases) == 2
        held = [
            judging_queries(np.arange(base.first_row + base.row_count, base.first_row + 1200))
            for base in bases
        ]
        every = np.concatenate([base.first_row + np.arange(base.row_count) for base in bases])
        inside = np.setdiff1d(every, deleted)
        halves = {row: one.halves[row - one.first_row] for one in it.snapshot.segments
                  for row in range(one.first_row, one.end_row)}  # fmt: skip
        stored = np.array([halves[row] for row in inside])
        queries = [halves[row] for row in np.setdiff1d(np.concatenate(held), deleted)]
        copies = {row.tobytes() for row in stored}
        xq = np.array([one for one in queries if one.tobytes() not in copies], np.float32)
        answers = [part.search(xq, 8)[0][:, :7] for part in it.parts if isinstance(part, CodedRows)]
    truth = best_scores(xq, stored, 7)
    found = -np.sort(-np.concatenate(answers, axis=1), axis=1)[:, :7]
    shares = (found >= truth[:, -1:] - 1e-4).sum(axis=1) / 7
    assert report.recall == pytest.approx(shares.mean(), abs=2e-3)
    assert 0.5 < report.recall < 0.995
    assert report.interval.low < report.recall < report.interval.high
    assert (report.origin, report.exact) == ("held out", False)
    assert (report.queries, report.left_out) == (len(xq), 1)
    assert report.measured_rows == len(inside)
    assert [base.rows for base in report.bases] == [1080, 1080]


def test_own_queries_are_asked_of_the_whole_index(approximate: Path, tmp_path: Path) -> None:
    add_vectors(approximate, draw_vectors(30, DIM, 2), 2400)
    vecsearch.remove(*[f"id:{number}" for number in range(2, 90, 4)], index=approximate)
    mine = draw_vectors(80, DIM, 3)
    with vecsearch.open_index(approximate) as index:
        images, vectors = index.vectors()
        results = index.search(mine, k=10)
    answered = np.array([[hit.score for hit in result.hits] for result in results])
    truth = best_scores(mine, vectors.astype(np.float16), 10)
    expected = (answered >= truth[:, -1:] - 1e-5).mean()
    stored = vectors[[5, 700, 2400]]  # as they are, and at the length of their like
    path = tmp_path / "mine.npy"
    np.save(path, np.concatenate([1e6 * mine, stored]).astype(np.float64))
    report = vecsearch.evaluate(approximate, queries=path)
    assert (report.origin, report.queries, report.left_out) == ("file", 80, 3)
    assert report.measured_rows == len(images)
    assert report.recall == pytest.approx(expected, abs=2e-3)
    assert report.recall < 1
    few = vecsearch.evaluate(approximate, queries=mine, sample=20)
    assert (few.queries, few.left_out) == (20, 0)
    with pytest.raises(UsageError, match="all 3 vectors of the queries are in"):
        vecsearch.evaluate(approximate, queries=stored)


def test_ties_are_no_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_reader, "_FEW_VALUES", 0)
    vectors = np.repeat(draw_vectors(30, DIM, 4), 40, axis=0)
    np.random.RandomState(0).shuffle(vectors)
    folder = make_index(tmp_path / "index", vectors, "IVF1,SQ8")
    report = vecsearch.evaluate(folder, queries=draw_vectors(50, DIM, 5), k=5)
    assert not report.exact
    assert report.recall >= 0.98  # of forty equal ones it has any five
    with pytest.raises(UsageError, match=r"all 60 images held out .* have copies in them"):
        vecsearch.evaluate(folder)


def test_an_exact_index_is_right_by_construction(index: Path, run: Run) -> None:
    report = vecsearch.evaluate(index, k=3)
    assert (report.exact, report.recall, report.origin) == (True, 1.0, "stored")
    assert (report.queries, report.measured_rows, report.left_out) == (12, 12, 0)
    assert 0 < report.p50_ms <= report.p95_ms <= report.p99_ms
    assert report.single_rate > 0
    assert report.batch_rate > 0
    assert report.memory_bytes is None or 1e6 < report.memory_bytes < 1e10
    done = run("eval", "-i", index, "-k", "3")
    assert "recall@3    1.0 by construction: exact" in done.stdout
    assert "12 stored vectors" in done.stdout
    assert done.stderr == ""
    facts = json.loads(run("eval", "-i", index, "--json", "--sample", "5").stdout)
    assert (facts["exact"], facts["queries"], facts["k"]) == (True, 5, 10)


def test_the_table_and_the_json(approximate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli(["eval", "-i", str(approximate)], standalone_mode=False)
    table = capsys.readouterr().out
    assert "119 images held out of the bases and not used to tune them; 1 more left out" in table
    assert "bootstrap over queries) among 2160 rows of the approximate bases" in table
    assert table.count(f"FAISS base: {COARSE} over 1080 rows, nprobe ") == 2
    assert "Index.search, one vector at a time" in table
    cli(["eval", "-i", str(approximate), "--json"], standalone_mode=False)
    facts = json.loads(capsys.readouterr().out)
    assert facts["interval"]["low"] <= facts["recall"] <= facts["interval"]["high"]
    assert facts["bases"][1]["settings"]["queries"] == 60


def test_the_interval_holds_the_truth_nineteen_times_in_twenty() -> None:
    generator = np.random.RandomState(0)
    held = 0
    for _ in range(60):
        shares = generator.binomial(10, generator.beta(9, 1, 60)) / 10  # of mean 0.9
        found = interval(shares)
        assert found.low <= shares.mean() <= found.high
        held += found.low <= 0.9 <= found.high
    assert 52 <= held <= 60
    for equal in (0.0, 0.7, 1.0):
        found = interval(np.full(50, equal))
        assert found.method == "Wilson"
        assert found.low <= equal <= found.high
        assert 0.05 < found.high - found.low < 0.3


BAD_QUERIES = {
    "nope.npy": "nope.npy: No such file or directory; give vectors of shape (q, 64)",
    "text.npy": "text.npy is not a .npy file of numbers",
    "empty.npy": "empty.npy is not a .npy file of numbers",
    "objects.npy": "objects.npy is not a .npy file of numbers: it holds Python objects",
    "short.npy": "float32 of shape (4, 5); vectors of shape (q, 64) are needed",
    "bool.npy": "bool of shape (4, 64)",
    "none.npy": "none.npy has no vectors",
    "zero.npy": "zero.npy has a vector that is zero or not finite",
}


def test_bad_input_gets_one_clear_line(index: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "empty.npy").touch()
    np.save(tmp_path / "objects.npy", np.array([{}, None]))
    np.save(tmp_path / "short.npy", np.ones((4, 5), np.float32))
    np.save(tmp_path / "bool.npy", np.ones((4, 64), np.bool_))
    np.save(tmp_path / "none.npy", np.ones((0, 64), np.float32))
    np.save(tmp_path / "zero.npy", np.eye(4, 64, 1, np.float32) * np.array([[1], [1], [0], [1]]))
    for name, words in BAD_QUERIES.items():
        with pytest.raises(UsageError, match=re.escape(words)):
            vecsearch.evaluate(index, queries=tmp_path / name)
    with pytest.raises(UsageError, match="the sample is 0"):
        vecsearch.evaluate(index, sample=0)
    done = run("eval", "-i", index, "-k", "0", code=2)
    assert done.stdout == ""
    assert done.stderr == "vecsearch: k is 0; ask for at least 1 neighbour\n"
