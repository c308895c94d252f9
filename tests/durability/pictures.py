"""Damaged pictures: each is read or refused in one line, and the process stays alive and small."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np

from durability.batches import attempt_batches, run_batches
from durability.gallery import gallery, huge, huge_names
from durability.mutate import mutate
from durability.trial import Outcome, Trial
from vecsearch import ImageError
from vecsearch.images.decoders.frames import frames, has_frames
from vecsearch.images.decoders.to_rgb import read_thumbnail
from vecsearch.images.reader import read_image

HUGE_EVERY: Final = 400
THUMBNAIL: Final = 96

_SIDE = 224
_FRAME_PIXELS = 10**7


def picture(seed: int, number: int, folder: Path) -> tuple[str, bytes]:
    """Make damaged picture *number*: its name and its content; huge ones lie in *folder*."""
    random = np.random.RandomState([seed, number])
    small, names = gallery(), list(gallery())
    other = small[names[random.randint(len(names))]]
    if number % HUGE_EVERY == HUGE_EVERY - 1:
        known = huge_names()
        name = known[number // HUGE_EVERY % len(known)]
        # Every other one is whole, for damage mostly keeps a picture from being decoded at all.
        whole = number // HUGE_EVERY // len(known) % 2 == 0
        data = (folder / name).read_bytes()
        return name, data if whole else mutate(data, other, random)
    name = names[number % len(names)]
    return name, mutate(small[name], other, random)


def read(path: Path) -> tuple[str, str]:
    """Read a picture as builds and sheets do; tell what became of it, and what is wrong."""
    try:
        pixels = read_image(path, _SIDE).pixels
        small = read_thumbnail(path, THUMBNAIL)
        _read_frames(path.read_bytes())
    except ImageError as error:
        reason = str(error)
        wrong = "" if reason and "\n" not in reason else f"the reason is not one line: {reason!r}"
        return "refused", wrong
    except Exception as error:  # noqa: BLE001 - these are what is looked for
        return "raised", f"raised {error!r}"
    if pixels is None or pixels.shape != (_SIDE, _SIDE, 3) or pixels.dtype != np.uint8:
        return "read", "the pixels are not (224, 224, 3) uint8"
    if small.mode != "RGB" or max(small.size) > THUMBNAIL:
        return "read", f"the thumbnail is {small.mode} {small.size}"
    return "read", ""


def _read_frames(data: bytes) -> None:
    """Read the frames of a film or a document, as a comparison of copies does."""
    if has_frames(data):
        with contextlib.suppress(ImageError):  # who can read the first has read the picture
            for _ in frames(data, most=50, most_pixels=_FRAME_PIXELS):
                pass


def work(pipe: Connection, current: Any, seed: int, folder: Path) -> None:
    """Read the pictures of the batches that come through *pipe*."""
    path = folder / f"{os.getpid()}.picture"

    def prepare(number: int) -> tuple[str, Callable[[], tuple[str, str]]]:
        name, data = picture(seed, number, folder)
        path.write_bytes(data)
        return f"picture {number} ({name})", lambda: read(path)

    attempt_batches(pipe, current, prepare)


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Read *times* damaged pictures in processes of their own."""
    for name in huge_names()[: times // HUGE_EVERY]:
        (folder / name).write_bytes(huge(name))  # here, for making it takes more than reading it
    outcome = run_batches(work, times, seed, folder)
    outcome.facts = {"kinds": str(len(gallery()) + len(huge_names())), **outcome.facts}
    return outcome


TRIAL = Trial(5, "damaged pictures", 100_000, run)
