"""Odd values of every option of every command: what cannot be meant is a line, never a fault."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import random
import shutil
import signal
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final
from unittest import mock

import click
import numpy as np
from samples import draw

import vecsearch
from durability.real import NETWORK
from durability.received import confine
from durability.trial import Outcome, Trial
from vecsearch import VecsearchError
from vecsearch.cli.main import cli

_PER_PROCESS: Final = 100
_LONGEST_S: Final = 60
_HANG_S: Final = 900.0

PLAIN: Final[dict[str, tuple[str, ...]]] = {
    "build": ("photos", "-i", "index"),
    "query": ("new.png", "-i", "index"),
    "viz": ("-i", "index", "-o", "map.png"),
    "recommend": ("-i", "index"),
    "duplicates": ("-i", "index"),
    "remove": ("*3.png", "-i", "index"),
    "info": ("-i", "index"),
    "words": ("-i", "index"),
    "plan": ("photos",),
    "eval": ("-i", "index"),
    "verify": ("-i", "index"),
    "repair": ("-i", "index"),
    "compact": ("-i", "index"),
    "reindex": ("-i", "index"),
    "tune": ("-i", "index"),
    "import": ("vectors.npy", "-i", "imported"),
    "export": ("-o", "out.npy", "-i", "index"),
    "merge": ("index", "index", "-i", "merged"),
    "completion": ("bash",),
}
"""How each command is called where nothing is odd; `demo` has a collection of its own."""

NUMBERS: Final = (
    *("nan", "inf", "-inf", "-1", "0", "1", "2", "1e308", "-1e-320", "0x10", "1_0", "٣", " 1 "),
    *(str(2**31), str(2**63), str(-(2**63) - 1), "9" * 30, "1.5", "1,1,1,1", "0,0,0,0", "-1,2,3"),
    *("nan,1,1,1", f"{2**70},0,1,1", "1e9,1,2,3"),
)
TEXTS: Final = (
    *("", " ", "-", "--", "x", "id:", "id:0", "id:-1", f"id:{10**20}", "id:1.5", "id:٣", "word:"),
    *("photos", "photos/00.png", "index", "index/catalog.sqlite", "vectors.npy", "no.json", "loop"),
    *("nowhere", "nowhere/x.png", "a" * 300, "a/" * 3000, "\udcff", "a\nb", "\x1b[31m"),
    *("[", "(", "*", "?", "flat", "Flat", "IVF0,Flat", "IVF99999999,PQ8", "PQ", "OPQ3,x", "auto"),
    *("random:", "random:-1", "random:x", "block9_pool", "block1_pool+block1_pool", "gem", "map"),
    *("http://", "file:///", "s3:", "://", "int8", "csv", "npy", "out.csv", "out.html", "out"),
    *("out.parquet", "out.npz", "UTC", "{}", "[]", "null"),
)
"""Nothing here leads out of the folder, and what is called by an absolute name is no device."""


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Call commands *times* times, in processes whose death would be noticed."""
    outcome, counts = Outcome(), Counter[str]()
    _make(folder / "sound")
    for start in range(0, times, _PER_PROCESS):
        count = min(_PER_PROCESS, times - start)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context, initializer=confine) as pool:
            try:
                work = pool.submit(call_many, folder, seed + start, count)
                failures, part = work.result(timeout=_HANG_S)
                outcome.failures.extend(failures)
                counts += part
            except (BrokenProcessPool, TimeoutError) as error:
                doing = (folder / "doing").read_text(errors="replace")
                outcome.failures.append(f"{type(error).__name__}: {doing}")
                for process in pool._processes.values():
                    process.kill()
        outcome.tried += count
    outcome.facts = {what: f"{count:,}" for what, count in sorted(counts.items())}
    return outcome


def _make(folder: Path) -> None:
    """Make a folder of pictures, vectors and an index to work on."""
    for number in range(8):
        draw(folder / "photos" / f"{number:02}.png", number)
    draw(folder / "new.png", 99)
    (folder / "loop").symlink_to("loop")
    (folder / "no.json").write_text("[" * 5000)
    with contextlib.chdir(folder):
        vecsearch.build("photos", index="index", encoder=NETWORK)
        np.save("vectors.npy", np.random.RandomState(0).normal(size=(9, 64)).astype(np.float32))


def call_many(folder: Path, seed: int, count: int) -> tuple[list[str], Counter[str]]:
    """Call so many commands; describe what they raised that is not ours, and count how they end."""
    failures, counts = [], Counter[str]()
    copy = folder / "copy"
    signal.signal(signal.SIGALRM, _give_up)
    with mock.patch("urllib.request.urlopen", side_effect=OSError("there is no network here")):
        for number in range(seed, seed + count):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder / "sound", copy, symlinks=True)
            arguments = choose(random.Random(number))
            what = f"seed {number}: {' '.join(map(ascii, arguments))}"
            (folder / "doing").write_text(what)
            with contextlib.chdir(copy):
                ending, wrong = call(arguments)
            counts[ending] += 1
            failures += [f"{what}: {wrong}"] if wrong else []
    return failures, counts


def choose(chance: random.Random) -> list[str]:
    """Choose a command, and arguments of which some are odd."""
    name = chance.choice(list(PLAIN))
    arguments = [name, *PLAIN[name]]
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    options = [one for one in command.params if isinstance(one, click.Option)]
    for option in chance.sample(options, min(len(options), chance.choice((0, 1, 1, 2, 3)))):
        arguments.append(chance.choice(option.opts))
        arguments += [] if option.is_flag else [_odd(chance)] * max(1, option.nargs)
    if len(options) == 0 or chance.random() < 0.4:
        place = 1 if chance.random() < 0.7 else len(arguments)
        arguments[place : place + 1] = [_odd(chance) for _ in range(chance.randint(1, 2))]
    return arguments


def _odd(chance: random.Random) -> str:
    return chance.choice(NUMBERS if chance.random() < 0.5 else TEXTS)


def call(arguments: list[str]) -> tuple[str, str]:
    """Call the command line; tell how it ended and what is wrong with that."""
    signal.alarm(_LONGEST_S)
    said = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="surrogateescape")
    try:
        with (
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x\n"))),
        ):
            cli.main(arguments, prog_name="vecsearch", standalone_mode=False)
    except (VecsearchError, click.ClickException, click.Abort):  # each is printed in a line
        return "refused", ""
    except SystemExit:
        return "ended", ""
    except OSError as error:  # which the command line tells in a line
        return "refused by the system", "" if error.errno else f"raises {error!r:.300}"
    except BaseException as error:  # noqa: BLE001 - any other is a failure
        return "failed", f"raises {error!r:.300}"
    finally:
        signal.alarm(0)
    return "done", ""


def _give_up(*_: object) -> None:
    raise TimeoutError(f"it took more than {_LONGEST_S} s")


TRIAL = Trial(15, "odd arguments", 4_000, run)
