"""One opened index, asked by many threads at once, and in other processes."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest
from PIL import Image
from samples import draw

import vecsearch
from vecsearch import ImageError, Index, IndexFolderError, QueryOptions, Result
from vecsearch.search import opened as opened_module

THREADS = 16
Answer = list[tuple[int, float, float | None]]


def jpeg(seed: int) -> bytes:
    generator = np.random.RandomState(seed)
    small = generator.randint(0, 255, (5, 7, 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(small).resize((140, 100)).save(out, "JPEG")
    return out.getvalue()


def answer(results: list[Result]) -> Answer:
    (result,) = results
    return [(hit.id, round(hit.score, 4), hit.order and round(hit.order, 3)) for hit in result.hits]


class Questions:
    """Questions of every kind that an index answers, by their numbers."""

    def __init__(self, folder: Path) -> None:
        vectors = np.random.RandomState(0).normal(size=(6, 64)).astype(np.float32)
        self._vectors = list(vectors)
        self._asked: list[tuple[list[str | Path | bytes], QueryOptions]] = []
        for n in range(6):
            file, data = folder / f"new{n}.jpg", jpeg(100 + n)
            file.write_bytes(jpeg(n))
            self._asked += [
                ([data], QueryOptions()),
                ([file], QueryOptions()),
                ([f"id:{n + 1}"], QueryOptions()),
                ([file], QueryOptions(box=(n, 5, 90, 60))),
                ([data, file, "id:2"], QueryOptions(combine="mean")),
                (["id:3", data], QueryOptions(combine="max")),
                ([data], QueryOptions(glob="*.png")),
                ([data], QueryOptions(expand=3, rerank=10)),
                (["id:4"], QueryOptions(minus=[data])),
            ]

    def __len__(self) -> int:
        return len(self._asked) + len(self._vectors)

    def ask(self, index: Index, number: int) -> Answer:
        k = 1 + number % 5
        if number >= len(self._asked):
            return answer(index.search(self._vectors[number - len(self._asked)], k=k))
        asked, options = self._asked[number]
        return answer(index.query(asked, k=k, options=options))


@pytest.fixture(params=["in memory", "by FAISS"])
def asked_index(
    request: pytest.FixtureRequest, index: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    if request.param == "by FAISS":
        monkeypatch.setattr(opened_module, "_FEW_VALUES", 0)
    return index


def test_every_answer_is_that_of_a_question_alone(asked_index: Path, tmp_path: Path) -> None:
    questions = Questions(tmp_path)
    with vecsearch.open_index(asked_index) as index:
        alone = [questions.ask(index, number) for number in range(len(questions))]
    order = random.Random(0).choices(range(len(questions)), k=240)
    start = Barrier(THREADS)
    with vecsearch.open_index(asked_index) as index:

        def work(part: int) -> list[int]:
            start.wait()  # nothing is open yet, so that all of them open it
            mine = order[part::THREADS]
            return [number for number in mine if questions.ask(index, number) != alone[number]]

        with ThreadPoolExecutor(THREADS) as pool:
            assert [*pool.map(work, range(THREADS))] == [[]] * THREADS


def test_what_is_wrong_with_a_question_is_told_to_who_asked_it(index: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    with vecsearch.open_index(index) as opened:

        def ask(number: int) -> str:
            try:
                opened.query([b"no picture" if number % 2 else jpeg(number)], k=3)
            except ImageError:
                return "refused"
            return "answered"

        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(ask, range(64)))
    assert found == ["answered", "refused"] * 32


def test_questions_go_on_while_the_index_changes(
    asked_index: Path, photos: Path, tmp_path: Path
) -> None:
    """Each of p0 to p9 stays; what comes, goes and is compacted meanwhile is never a wrong hit."""
    known = [f"id:{number}" for number in range(3, 13)]
    with vecsearch.open_index(asked_index) as index:
        names = {image.id: image.path.name for image in index}
        (everything,) = index.query(known[0], k=100)
        scores = {hit.id: round(hit.score, 4) for hit in everything.hits}
        data = jpeg(3)
        (everything,) = index.query([data], k=100)
        by_picture = {hit.id: round(hit.score, 4) for hit in everything.hits}
        stop: list[bool] = []
        wrong: Counter[str] = Counter()
        asked = Counter[str]()

        def work(number: int) -> None:
            while not stop:
                try:
                    results = index.query(known[0], k=100), index.query([data], k=100)
                except Exception as error:  # noqa: BLE001
                    wrong[repr(error)] += 1
                    continue
                for (result,), right in zip(results, (scores, by_picture), strict=True):
                    hits = {hit.id: round(hit.score, 4) for hit in result.hits}
                    same = all(hits.get(one) == score for one, score in right.items())
                    named = all(names.get(hit.id, hit.path.name) == hit.path.name
                                for hit in result.hits)  # fmt: skip
                    wrong["answer"] += not (same and named)
                asked["once"] += 1

        threads = [Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(6):
            new = [draw(photos / f"turn{turn}-{number}.png", 100 + number) for number in range(8)]
            vecsearch.build(index=asked_index)
            vecsearch.compact(asked_index)
            for path in new:
                path.unlink()
            vecsearch.build(index=asked_index)
            vecsearch.compact(asked_index)
        stop.append(True)
        for thread in threads:
            thread.join()
    assert wrong.total() == 0, wrong
    assert asked["once"] > 8


def test_a_closed_index_says_so_to_every_thread(index: Path) -> None:
    opened = vecsearch.open_index(index)
    opened.close()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(opened.query, "id:1") for _ in range(8)]
    for one in asked:
        with pytest.raises(IndexFolderError, match="was closed; open it again"):
            one.result()


def ask_in_another_process(index: Index, data: bytes) -> Answer:
    return answer(index.query([data], k=3)) + answer(index.query("id:2", k=3))


def test_a_pickled_index_is_opened_where_it_arrives(
    index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(index.parent)
    with vecsearch.open_index(index.name) as opened:
        want = ask_in_another_process(opened, jpeg(1))
        sent = pickle.dumps(opened)
        spawned = multiprocessing.get_context("spawn")
        monkeypatch.setenv("PYTHONPATH", str(Path(vecsearch.__file__).parent.parent))
        with spawned.Pool(2) as pool:
            assert pool.starmap(ask_in_another_process, [(opened, jpeg(1))] * 4) == [want] * 4
    monkeypatch.chdir(tmp_path.parent)
    with pickle.loads(sent) as arrived:
        assert ask_in_another_process(arrived, jpeg(1)) == want


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_opens_the_index_anew(asked_index: Path) -> None:
    with vecsearch.open_index(asked_index) as opened:
        want = answer(opened.query("id:2", k=3))
        assert opened.query([jpeg(1)])[0].hits  # starts the network
        forked = multiprocessing.get_context("fork")
        inside, outside = forked.Pipe(duplex=False)

        def work() -> None:
            outside.send(answer(opened.query("id:2", k=3)))
            try:
                opened.query([jpeg(1)])
            except vecsearch.VecsearchError as error:
                outside.send(error)

        process = forked.Process(target=work)
        process.start()
        assert inside.poll(60)
        assert inside.recv() == want
        assert inside.poll(60)
        assert "by spawn or forkserver" in str(inside.recv())
        process.join()
        assert process.exitcode == 0
        assert answer(opened.query("id:2", k=3)) == want


def test_answers_and_errors_can_be_sent(index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        results = opened.query(["id:1", "id:999"], k=3)
        with pytest.raises(vecsearch.NotFoundError) as raised:
            opened.query("id:999")
    assert pickle.loads(pickle.dumps(results)) == results
    arrived = pickle.loads(pickle.dumps(raised.value))
    assert (str(arrived), arrived.hint, arrived.path) == (
        str(raised.value),
        raised.value.hint,
        raised.value.path,
    )
