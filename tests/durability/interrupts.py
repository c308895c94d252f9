"""Ctrl-C and SIGTERM at random moments of real commands."""

from __future__ import annotations

import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from samples import CHEAP, draw

import vecsearch
from durability.trial import Outcome, Trial

_LIMIT_S = 1.0
_ENOUGH = 100
"""Of fewer trials there is no 99th percentile to speak of."""

_EARLY_EVERY = 4
_STARTS = """
import os, sys
class Tell:
    def find_spec(self, name, *_):
        if name == "vecsearch.cli.main":
            os.write(1, b".")
sys.meta_path.insert(0, Tell())
from vecsearch.cli.start import run
run()
"""
"""What the script of the program does; it tells when the program itself begins to be loaded."""

_ENCODER = ("--layer", "block1_conv1", "--weights", "random:0", "--precision", "fp32")


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Interrupt a command *times* times; count how long it takes, and what is lost by it."""
    outcome = Outcome()
    photos = folder / "photos"
    for number in range(48):
        draw(photos / f"{number:02}.png", number)
    whole = vecsearch.build(photos, index=folder / "whole", encoder=CHEAP).index
    paths = _paths(whole)
    index = folder / "index"
    waited = []
    for number in range(seed, seed + times):
        chance = random.Random(number)
        if number % _EARLY_EVERY == 0:
            outcome.failures += interrupt_start(whole, chance.uniform(0, 0.3))
            outcome.tried += 1
            continue
        command = chance.choice(("build", "build", "update", "query", "viz", "recommend", "verify"))
        shutil.rmtree(index, ignore_errors=True)
        if command != "build":
            shutil.copytree(whole, index)
        seconds, code, complaint = _interrupt(command, folder, chance)
        if code not in (0, 130, -signal.SIGINT, -signal.SIGTERM):
            outcome.failures.append(f"seed {number}: {command} ends with {code}: {complaint}")
        if command == "build":
            kept = _paths(index) if (index / "catalog.sqlite").exists() else set()
            if not kept <= paths:
                outcome.failures.append(f"seed {number}: build leaves ghosts")
        elif _paths(index) - {photos / "new.png"} != paths:
            outcome.failures.append(f"seed {number}: {command} loses images")
        (photos / "new.png").unlink(missing_ok=True)
        if (index / "catalog.sqlite").exists() and vecsearch.verify(index).problems:
            outcome.failures.append(f"seed {number}: {command} leaves damage")
        if code != 0:
            waited.append(seconds)
        outcome.tried += 1
    if waited:  # all may have ended before they were interrupted
        waited.sort()
        p99 = waited[int(0.99 * (len(waited) - 1))]
        outcome.facts = {
            "median": f"{statistics.median(waited):.2f} s",
            "p99": f"{p99:.2f} s",
            "max": f"{waited[-1]:.2f} s",
        }
        if len(waited) >= _ENOUGH and p99 > _LIMIT_S:
            outcome.failures.append(f"p99 is {p99:.2f} s")
    return outcome


def interrupt_start(index: Path, delay_s: float) -> list[str]:
    """Press Ctrl-C while the program is loaded; say what is wrong with its end."""
    process = subprocess.Popen(
        [sys.executable, "-c", _STARTS, "query", "id:1", "-i", index],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.read(1)
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    said = complaint.decode().strip()
    if (process.returncode, said) in ((130, "vecsearch: interrupted"), (0, "")):
        return []
    return [f"after {1000 * delay_s:.1f} ms: {process.returncode}, {said[-200:]}"]


def _interrupt(command: str, folder: Path, chance: random.Random) -> tuple[float, int, str]:
    """Run a command, interrupt it, and give the seconds until its end, its exit code and words."""
    photos, index = folder / "photos", folder / "index"
    if command == "update":
        draw(photos / "new.png", 99)
    elif command == "query":
        draw(folder / "query.png", 98)
    arguments = {
        "build": ["build", photos, "-i", index, *_ENCODER, "--commit-images", "8"],
        "update": ["build", "-i", index],
        "query": ["query", folder / "query.png", "-i", index],
        "viz": ["viz", "-i", index, "-o", folder / "map.png"],
        "recommend": ["recommend", "-i", index, "-o", folder / "sheets"],
        "verify": ["verify", "-i", index],
    }[command]
    process = subprocess.Popen(
        [sys.executable, "-m", "vecsearch.cli.main", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "VECSEARCH_CACHE": str(folder / "cache")},
    )
    time.sleep(chance.uniform(0.15, 3.0 if command == "viz" else 1.5))
    process.send_signal(chance.choice((signal.SIGINT, signal.SIGTERM)))
    start = time.monotonic()
    _, complaint = process.communicate(timeout=60)
    return time.monotonic() - start, process.returncode, complaint.strip()[-200:]


def _paths(index: Path) -> set[Path]:
    try:
        with vecsearch.open_index(index) as opened:
            assert len(opened.vectors()[1]) == len(opened)
            return {image.path for image in opened}
    except vecsearch.IndexFolderError as error:
        if "has no images" in str(error):
            return set()
        raise


TRIAL = Trial(9, "Ctrl-C and SIGTERM", 500, run)
