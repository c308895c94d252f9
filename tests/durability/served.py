"""Many clients ask a server, while another process builds, removes and compacts.

As `durability.askers`, over HTTP: what a client was told must be the answer of a generation that
was there while it asked, and the server's memory must not grow.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from question_kinds import Questions

import vecsearch
from durability import askers
from durability.trial import Outcome, Trial

LOCAL: Final = {"images", "vectors"}
"""What only an opened index is asked."""

_CODE: Final = """
import os, sys, threading
import vecsearch
from vecsearch.search import index_reader
index_reader._FEW_VALUES = int(sys.argv[2])
def end_with_parent():
    sys.stdin.read()
    os._exit(1)
threading.Thread(target=end_with_parent, daemon=True).start()
options = vecsearch.ServeOptions(port=0, log="none")
vecsearch.serve(
    [vecsearch.open_index(sys.argv[1])], options, started=lambda url: print(url, flush=True)
)
"""


@contextmanager
def serving(index: Path, few_values: int) -> Iterator[tuple[str, int]]:
    """Serve *index* in a process that ends with this one; give its address and its number."""
    command = [sys.executable, "-c", _CODE, str(index), str(few_values)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


def ask_served(pipe: Connection, folder: Path, seed: int, times: int, few_values: int) -> None:
    """Be the process whose threads ask the server."""
    questions = Questions(folder)
    known = [n for n, question in enumerate(questions.all) if question.kind not in LOCAL]
    order = random.Random(seed).choices(known, k=times)
    pipe.recv()
    with serving(folder / "index", few_values) as (url, number), vecsearch.connect(url) as index:
        askers.ask_together(pipe, index, questions, order, number)


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Let clients ask *times* questions, a third of them in each way of searching."""
    return askers.run(times, seed, folder, ask_served)


TRIAL = Trial(16, "clients of a server (questions)", 10_000, run)
