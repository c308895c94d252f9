"""Repair with the FAISS file deleted or damaged, and with damaged vectors."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from unittest import mock

import vecsearch
from durability.damage import FEW, answers, make_index
from durability.stub import stubbed
from durability.trial import Outcome, Trial


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Damage the FAISS file or a segment of a copy, repair, and compare all answers."""
    outcome = Outcome()
    sound = make_index(folder)
    copy = folder / "copy"
    with stubbed(), mock.patch(FEW, 0):
        expected = answers(sound)
        for number in range(seed, seed + times):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(sound, copy)
            what = _damage(copy, random.Random(number))
            report = vecsearch.repair(copy)
            if report.lost or report.left or not report.problems:
                outcome.failures.append(f"seed {number}: {what}: {report}")
            elif answers(copy) != expected:
                outcome.failures.append(f"seed {number}: {what}: other answers than before")
            outcome.tried += 1
    return outcome


def _damage(index: Path, random: random.Random) -> str:
    path = random.choice(sorted(index.glob(random.choice(("ann/*", "ann/*", "vectors/*")))))
    data = bytearray(path.read_bytes())
    place = random.randrange(len(data))
    match random.randrange(3):
        case 0:
            path.unlink()
        case 1:
            path.write_bytes(data[:place])
        case _:
            data[place] ^= 1 << random.randrange(8)
            path.write_bytes(data)
    return f"{path.name} damaged near {place}"


TRIAL = Trial(4, "repair of the FAISS file and of vectors", 1_000, run)
