"""Mutants of foreign formats: each is read or refused in one line, and nothing else happens."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np

from durability.batches import attempt_batches, run_batches
from durability.foreign import FORMATS, Format, make_sound
from durability.mutants import mutant
from durability.trial import Outcome, Trial
from vecsearch.errors import VecsearchError

_MEMORY_BYTES: Final = 8 << 30
_LARGEST_BYTES: Final = 4 << 30
"""pyarrow takes as much for a page of a .parquet as its header says, up to 2 GiB."""

_SOUND: Final = "sound"


def work(pipe: Connection, current: Any, seed: int, folder: Path) -> None:
    """Read the mutants of the batches that come through *pipe*."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    sound, box = folder / _SOUND, folder / str(os.getpid())
    samples = [form.samples(sound) for form in FORMATS]
    wholes = [one.whole() for some in samples for one in some]
    before = _tree(sound)

    def prepare(number: int) -> tuple[str, Callable[[], tuple[str, str]]]:
        random = np.random.RandomState([seed, number])
        place = number % len(FORMATS)
        form = FORMATS[place]
        sample = samples[place][random.randint(len(samples[place]))]
        shutil.rmtree(box, ignore_errors=True)
        box.mkdir()
        path = box / sample.name
        path.write_bytes(mutant(sample, wholes, random))
        return f"{form.name} {number}", partial(read, form, path, sound, number, before)

    attempt_batches(pipe, current, prepare, _LARGEST_BYTES)


def read(
    form: Format, path: Path, sound: Path, number: int, before: dict[str, tuple[int, int]]
) -> tuple[str, str]:
    """Read a file; tell what became of it, and what is wrong."""
    what, wrong = "read", ""
    try:
        form.read(path, sound, number)
    except form.refusals as error:
        what = "refused"
        if form.refusals[0] is VecsearchError and (not str(error) or "\n" in str(error)):
            wrong = f"the reason is not one line: {error!r:.300}"
    except BaseException as error:  # noqa: BLE001 - these are what is looked for
        return "raised", f"raised {error!r:.300} in {_place(error)}"
    if _tree(sound) != before:
        wrong = wrong or "something outside was changed"
    return what, wrong


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Read *times* mutants, of one format after the other."""
    make_sound(folder / _SOUND)
    return run_batches(work, times, seed, folder)


def _tree(folder: Path) -> dict[str, tuple[int, int]]:
    facts = {}
    for path in folder.rglob("*"):
        one = path.lstat()
        facts[str(path)] = one.st_size, one.st_mtime_ns
    return facts


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    where = ""
    while trace is not None:
        name = Path(trace.tb_frame.f_code.co_filename)
        if "vecsearch" in name.parts:
            where = f"{name.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where


TRIAL = Trial(13, "mutants of foreign formats", 20_000 * len(FORMATS), run)
