"""Indexes of vectors that no picture has, as large as a test wants them, made in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

import vecsearch
from vecsearch.embed.spec import EncoderSpec
from vecsearch.store.change import Change, NewIndex
from vecsearch.store.writer import open_writer
from vecsearch.types import ImageFile, Vectors

_CHANNELS = (0.5, 0.5, 0.5)


def draw_vectors(n: int, d: int, seed: int, *, latent: int = 12) -> Vectors:
    """Return (n, d) unit vectors of few degrees of freedom and no clusters, as features are."""
    generator = np.random.RandomState(seed)
    mixing = np.random.RandomState(0).normal(size=(latent, d))
    mixed = np.maximum(generator.normal(size=(n, latent)) @ mixing, 0)
    mixed += 0.1 * generator.normal(size=(n, d))
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float32)


def unit(rows: npt.NDArray[np.float64]) -> Vectors:
    """Return *rows* unit length."""
    normed: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return normed


def clusters(count: int, each: int, d: int = 64, seed: int = 0) -> tuple[Vectors, list[int]]:
    """Return the unit vectors of *count* clusters of *each* vectors, and the cluster of each."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, d))
    rows = np.repeat(centres, each, axis=0) + rng.normal(scale=0.2, size=(count * each, d))
    return unit(rows), np.repeat(np.arange(count), each).tolist()


def make_index(folder: Path, vectors: Vectors, recipe: str = "auto") -> Path:
    """Make an index of *vectors*, (n, d), compacted by *recipe*."""
    spec = EncoderSpec(
        layers=("block5_pool",), pool="gem", weights="none", weights_hash="0" * 64,
        precision="fp32", mean=_CHANNELS, std=_CHANNELS, dim=vectors.shape[1],
    )  # fmt: skip
    new = NewIndex(spec.to_json(), spec.dim, b"<net/>", b"none", recipe=recipe, recall=0.9)
    with open_writer(folder, new) as writer:
        writer.commit(_change(vectors, 0))
    vecsearch.compact(folder)
    return folder


def add_vectors(folder: Path, vectors: Vectors, first: int) -> None:
    """Add *vectors* to an index, as pictures numbered from *first*, without compacting it."""
    with open_writer(folder) as writer:
        writer.commit(_change(vectors, first))


def _change(vectors: Vectors, first: int) -> Change:
    numbers = range(first, first + len(vectors))
    files = [
        ImageFile(Path(f"/photos/2026/{n:08d}.jpg"), 100_000 + n, n, n.to_bytes(32), 640, 480)
        for n in numbers
    ]
    return Change(embedded=[(None, file) for file in files], vectors=vectors)
