"""A stub of the network: vectors that tell which pixels they belong to, at no cost.

With `stubbed`, a build embeds each picture as `vector_of` its pixels, so that `check_content` can
say of every image in an index whether its vector is the one of its file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar
from unittest import mock

import numpy as np
from PIL import Image as Pillow

import vecsearch
from vecsearch.embed.encoder import EncoderConfig
from vecsearch.embed.spec import EncoderSpec
from vecsearch.images.reader import read_image
from vecsearch.types import Pixels, Vectors

T = TypeVar("T")
DIM = 16
SPEC = EncoderSpec(
    layers=("block1_conv1",), pool="avg", weights="random:0", weights_hash="0" * 64,
    precision="fp32", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), dim=DIM,
)  # fmt: skip


def vector_of(pixels: Pixels) -> Vectors:
    """(h, w, 3) uint8 -> (16,) float32 of unit length, another one for any other pixels."""
    vector = np.random.RandomState(zlib.crc32(pixels.tobytes())).normal(size=DIM)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


class StubEncoder:
    """As much of an encoder as a build uses."""

    spec = SPEC
    engine = SimpleNamespace(batch_size=4)
    words = None

    def serialize(self) -> tuple[bytes, bytes]:
        return b"<stub/>", b"stub"

    def reread(self, xml: bytes, constants: bytes) -> StubEncoder:
        return self

    def stream(self, batches: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[T, Vectors]]:
        for tag, pixels in batches:
            yield tag, np.stack([vector_of(one) for one in pixels])


def _stub(*_: object, **__: object) -> StubEncoder:
    return StubEncoder()


@contextmanager
def stubbed() -> Iterator[EncoderConfig]:
    """Let builds use the stub, and give the configuration to build with."""
    with ExitStack() as stack:
        for name in (
            *("indexing.build_encoder.make", "indexing.build_encoder.open"),
            *("maintenance.repair.make", "maintenance.repair.open", "maintenance.verify.open"),
        ):
            # Not a mock, which would remember every call.
            stack.enter_context(mock.patch(f"vecsearch.{name}_encoder", new=_stub))
        yield EncoderConfig(engine="openvino")


def save_picture(path: Path, seed: int) -> Path:
    """Save a tiny picture that differs for every seed."""
    pixels = np.random.RandomState(seed).randint(0, 256, (5, 4, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(pixels).save(path)
    return path


def expected_vector(path: Path) -> Vectors:
    """Return the vector that the stub makes of a picture file, rounded as an index keeps it."""
    pixels = read_image(path, SPEC.image_size).pixels
    assert pixels is not None
    return vector_of(pixels).astype(np.float16).astype(np.float32)


def content_of(index: Path) -> dict[Path, bytes]:
    """Map every path of an index to the bytes of its vector, which a search must find too."""
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
        assert len(opened) == len(images)
        if images:
            for image, result in zip(images, opened.search(vectors, k=1), strict=True):
                (best,) = result.hits
                assert best.score > 0.99, (image.path, best)
    return {image.path: vector.tobytes() for image, vector in zip(images, vectors, strict=True)}


def check_content(index: Path, expected: dict[Path, bytes]) -> list[str]:
    """Compare an index, path by path and vector by vector, with what it should hold."""
    found = content_of(index)
    return [
        *(f"lost {path}" for path in expected.keys() - found.keys()),
        *(f"ghost {path}" for path in found.keys() - expected.keys()),
        *(
            f"wrong vector of {path}"
            for path in found.keys() & expected.keys()
            if found[path] != expected[path]
        ),
    ]
