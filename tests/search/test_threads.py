"""One opened index, asked by many threads at once, and in other processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Barrier, Event, Lock, Thread

import pytest
from question_kinds import Answer, Questions, agree, answer, jpeg
from samples import draw

import vecsearch
from vecsearch import ImageError, Index, IndexFolderError, QueryOptions
from vecsearch.forks import ProcessLock, free_at_fork
from vecsearch.search import index_reader as opened_module

THREADS = 16


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
    order = random.Random(0).choices(range(len(questions)), k=160)
    start = Barrier(THREADS)
    with vecsearch.open_index(asked_index) as index:

        def work(part: int) -> list[int]:
            start.wait()  # nothing is open yet, so that all of them open it
            mine = order[part::THREADS]
            told = [(number, questions.ask(index, number)) for number in mine]
            return [number for number, one in told if not agree(one, alone[number])]

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


@contextmanager
def garbage_is_left() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


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
        process.join(60)
        code = process.exitcode
        process.kill()
        assert code == 0
        assert answer(opened.query("id:2", k=3)) == want


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_leaves_a_network_that_nobody_uses_any_more(index: Path) -> None:
    """Its destruction waits for threads, and a fork has none of them."""
    opened = vecsearch.open_index(index)
    with garbage_is_left():
        cycle: list[object] = [opened]
        cycle.append(cycle)
        assert opened.query([jpeg(1)])[0].hits
        opened.close()
        del cycle, opened
        process = multiprocessing.get_context("fork").Process(target=gc.collect)
        process.start()
        process.join(60)
        code = process.exitcode
        process.kill()
    assert code == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_processes_forked_amid_questions_answer(asked_index: Path) -> None:
    """What other threads hold as they are forked, they do not wait for."""
    options = QueryOptions(expand=3, rerank=10)
    with vecsearch.open_index(asked_index) as opened:
        want = answer(opened.query("id:3", k=3, options=options))
        stop: list[bool] = []

        def ask() -> None:
            while not stop:
                opened.query("id:2", k=3, options=options)

        def tell(outside: Connection) -> None:
            outside.send(answer(opened.query("id:3", k=3, options=options)))

        threads = [Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        forked = multiprocessing.get_context("fork")
        said = []
        try:
            for _ in range(15):
                inside, outside = forked.Pipe(duplex=False)
                process = forked.Process(target=tell, args=(outside,))
                process.start()
                said.append(inside.poll(20) and agree(inside.recv(), want))
                process.kill()
                process.join()
                if not said[-1]:
                    break
        finally:
            stop.append(True)
            for thread in threads:
                thread.join()
    assert said == [True] * 15


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_waits_for_who_holds_a_lock_of_sqlite_and_not_for_ever() -> None:
    lock, module_lock, held = free_at_fork(Lock()), ProcessLock(), Event()

    def hold() -> None:
        with lock, module_lock:
            held.set()
            time.sleep(0.2)

    def child() -> None:
        with lock, module_lock:
            pass

    thread = Thread(target=hold)
    thread.start()
    held.wait()
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(20)
    code = process.exitcode
    process.kill()
    thread.join()
    assert code == 0
    assert not lock.locked()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no forkserver here")
def test_processes_of_a_forkserver_have_the_network(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(vecsearch.__file__).parent.parent))
    with vecsearch.open_index(index) as opened:
        want = ask_in_another_process(opened, jpeg(1))
        with multiprocessing.get_context("forkserver").Pool(2) as pool:
            assert pool.starmap(ask_in_another_process, [(opened, jpeg(1))] * 4) == [want] * 4


def test_the_network_needs_nothing_more_of_numpy_when_threads_come_to_it() -> None:
    """At its first array OpenVINO's binding asks numpy for its version, under a lock of C++."""
    code = """
import numpy, numpy.lib
real, asked = numpy.lib.NumpyVersion, []
class Version(real):
    def __init__(self, text):
        asked.append(text)
        super().__init__(text)
numpy.lib.NumpyVersion = Version
from vecsearch.embed.engines.openvino_runtime import ov
assert asked  # by one thread, that which imports it
asked.clear()
tensor = ov.Tensor(numpy.zeros((2, 3), numpy.float32))
tensor.data[:] = numpy.ones((2, 3))
assert not asked
"""
    subprocess.run([sys.executable, "-c", code], check=True)


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
