"""Truncation, flipped bits, zeroed blocks and links in every kind of file of an index."""

from __future__ import annotations

import multiprocessing
import random
import shutil
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from unittest import mock

import vecsearch
from durability.stub import save_picture, stubbed
from durability.trial import Outcome, Trial

_PER_PROCESS = 250
FEW = "vecsearch.search.index_reader._FEW_VALUES"
_HANG_S = 120.0


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Damage a copy of an index, *times* times, in processes whose death would be noticed."""
    make_index(folder)
    outcome = Outcome()
    for start in range(0, times, _PER_PROCESS):
        count = min(_PER_PROCESS, times - start)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            try:
                work = pool.submit(damage_many, str(folder), seed + start, count)
                outcome.failures.extend(work.result(timeout=_HANG_S))
            except (BrokenProcessPool, TimeoutError) as error:
                outcome.failures.append(f"seeds from {seed + start}: {type(error).__name__}")
        outcome.tried += count
    return outcome


def make_index(folder: Path) -> Path:
    """Build an index that has a base, a tail, deleted rows, a removed image and a skipped file."""
    for number in range(40):
        save_picture(folder / "photos" / f"{number:02}.png", number)
    (folder / "photos" / "broken.png").write_bytes(b"no picture")
    with stubbed() as encoder:
        index = vecsearch.build(folder / "photos", index=folder / "sound", encoder=encoder).index
        save_picture(folder / "photos" / "07.png", 107)
        save_picture(folder / "photos" / "new.png", 108)
        vecsearch.build(index=index)
        vecsearch.remove("*11.png", index=index)
    return index


def damage_many(folder: str, seed: int, count: int) -> list[str]:
    """Damage, ask and verify *count* copies; describe what went wrong."""
    sound, copy = Path(folder, "sound"), Path(folder, f"copy-{seed}")
    # The FAISS file is searched by large indexes only, so both ways are asked.
    ways = (0, 1 << 30)
    expected = []
    for few in ways:
        with mock.patch(FEW, few):
            expected.append(answers(sound))
    failures = []
    for number in range(seed, seed + count):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(sound, copy)
        what = damage(copy, random.Random(number))
        try:
            with mock.patch(FEW, ways[number % 2]):
                if answers(copy) != expected[number % 2]:
                    failures.append(f"seed {number}: {what} gives wrong answers")
        except vecsearch.IndexFolderError:
            pass
        except Exception as error:  # noqa: BLE001 - any other is a failure
            failures.append(f"seed {number}: {what} raises {error!r}")
        if not found_by_verify(copy):
            failures.append(f"seed {number}: {what} is not found by verify")
    return failures


def found_by_verify(index: Path) -> bool:
    """Return whether `verify` sees anything."""
    try:
        with stubbed():
            return bool(vecsearch.verify(index).problems)
    except vecsearch.VecsearchError:
        return True


def answers(index: Path) -> list[list[tuple[int, Path, float]]]:
    """Ask for the ten nearest of every image, and all else that needs no network."""
    with vecsearch.open_index(index) as opened:
        results = [
            [(hit.id, hit.path, round(hit.score, 4)) for hit in result.hits]
            for result in opened.query([f"id:{image.id}" for image in opened], k=10)
        ]
        opened.info()
        for key in ("encoder_files", "check_constants"):
            getattr(opened.reader().snapshot, key)()
    return results


def damage(index: Path, random: random.Random) -> str:
    """Damage one file of *index*, so that at least one byte differs, and say how."""
    kinds = ("catalog.sqlite", "vectors/*", "ann/*", "encoder/*.xml", "encoder/*.bin")
    path = random.choice(sorted(index.glob(random.choice(kinds))))
    before = path.read_bytes()
    while True:
        data = bytearray(before)
        place = random.randrange(len(data))
        match random.choice(("flip", "zero", "cut", "gone", "noise", "link")):
            case "flip":
                for _ in range(random.choice((1, 1, 8))):
                    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            case "zero":
                size = random.choice((1, 512, 4096))
                data[place : place + size] = bytes(len(data[place : place + size]))
            case "noise":
                size = random.choice((16, 512, 4096))
                data[place : place + size] = random.randbytes(len(data[place : place + size]))
            case "cut":
                del data[place:]
            case "gone":
                path.unlink()
                return f"{path.name} deleted"
            case "link":
                return _link(path, random.choice((path, path.parent)), index)
        if data != before:
            path.write_bytes(data)
            return f"{path.name} damaged near {place} of {len(before)}"


def _link(path: Path, what: Path, index: Path) -> str:
    """Put a link in the place of a file, or of its folder, that leads to what was there."""
    if what == index:
        what = path
    away = Path(f"{index}-away")
    shutil.rmtree(away, ignore_errors=True)
    away.mkdir()
    what.rename(away / what.name)
    what.symlink_to(away / what.name)
    return f"{what.name} made a link"


TRIAL = Trial(3, "damage to every kind of file", 10_000, run)
