"""What a new encoder learns from a seeded sample of the pictures: its PCA, its int8 ranges."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.embed.encoder import Encoder
from vecsearch.embed.feature_file import FeatureFile
from vecsearch.embed.pca import check_dim, sample_size, train_projection
from vecsearch.embed.quantize import quantized
from vecsearch.errors import EncoderMismatchError, UsageError
from vecsearch.images.reader import ReadImage
from vecsearch.indexing.agreement import (
    LEAST_OVERLAP,
    measure_agreement,
    nearest_count,
    overlap_when_reduced,
)
from vecsearch.indexing.batches import batched
from vecsearch.indexing.read import Reader
from vecsearch.indexing.worklist import Worklist
from vecsearch.types import Agreement, Pixels, Progress, Reduction, Vectors

_QUERIES: Final = 400
"""How many pictures at most tell what a PCA leaves of the nearest; the share is then known to one
percent or so."""

_HELD_OUT_FROM: Final = 100
"""How many pictures it takes that a fifth of them are held out of the sample."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The files to sample from, and how to read them."""

    files: Worklist
    reader: Reader

    def read(self, count: int) -> Iterator[tuple[int, ReadImage]]:
        """Read *count* of them, the same every time, with their places in the sample."""
        every = range(len(self.files))
        chosen = random.Random(0).sample(every, min(count, len(every)))  # noqa: S311
        numbered = ((n, self.files[i].as_path()) for n, i in enumerate(chosen))
        for one in self.reader.read(numbered):
            if one.image is not None:
                yield one.tag, one.image


def fit_projection(
    encoder: Encoder, sample: Sample, dim: int, folder: Path, progress: Progress | None
) -> tuple[Encoder, Reduction]:
    """Return *encoder* with a PCA to *dim* trained on pictures of *sample*, and what it keeps.

    Of 100 pictures or more a fifth, at most 400, are held out to ask for their nearest, if enough
    are left for the PCA; otherwise pictures of the sample ask. Full vectors lie in a file in
    *folder* meanwhile. Raises UsageError if too few pictures can be read or too few differ,
    IndexFolderError if there is no room.
    """
    feature_dim = encoder.spec.feature_dim
    wanted = sample_size(dim, feature_dim)
    count = min(len(sample.files), wanted + min(_QUERIES, wanted // 4))
    check_dim(dim, feature_dim, count)
    with FeatureFile(folder, count, feature_dim) as features:
        done = 0
        for batch, vectors in encoder.stream(
            batched(sample.read(count), lambda: encoder.engine.batch_size)
        ):
            # By their places in the sample: they come as they are ready, the PCA is to be the same.
            for (place, _), vector in zip(batch, vectors, strict=True):
                features.put(place, vector)
            done += len(batch)
            if progress:
                progress("sampling for PCA", done, count)
        check_dim(dim, feature_dim, done)
        del encoder.engine  # its buffers are as large as all that training takes
        queries = min(_QUERIES, done // 5)
        held_out = done >= _HELD_OUT_FROM and done - queries > dim
        trained_on = done - queries if held_out else done
        projection, kept = train_projection(features.rows(0, trained_on), dim, progress)
        if not held_out:
            queries = min(_QUERIES, done)
        k = nearest_count(done)
        overlap = overlap_when_reduced(features.rows(), projection, queries, k)
    reduction = Reduction(trained_on, kept, queries, held_out, k, overlap)
    return encoder.with_projection(projection), reduction


def fit_int8(
    encoder: Encoder, sample: Sample, force: bool, progress: Progress | None
) -> tuple[Encoder, Agreement]:
    """Return *encoder* in int8, calibrated on pictures of *sample*, and its agreement with fp32.

    Raises UsageError with fewer than four readable pictures, EncoderMismatchError if the agreement
    is low and not *force*.
    """
    how = encoder.spec.backbone.facts.calibration
    # Pictures come as they are ready; in the order of the sample, every build calibrates alike.
    read = dict(sample.read(how.pictures + how.held_out))
    images = [
        one.pixels
        for _, one in sorted(read.items(), key=lambda pair: pair[0])
        if one.pixels is not None
    ]
    if len(images) < 4:
        raise UsageError(
            f"--precision int8 needs at least 4 pictures to calibrate on, {len(images)} can be read"
        )
    pixels: Pixels = np.stack(images)
    calibration = min(how.pictures, len(pixels) // 2)
    if progress:
        progress("calibrating int8", 0, len(pixels))
    int8 = quantized(encoder, pixels[:calibration])
    exact, approximate = _embed(encoder, pixels), _embed(int8, pixels)
    if progress:
        progress("calibrating int8", len(pixels), len(pixels))
    agreement = measure_agreement(exact, approximate, len(pixels) - calibration)
    if agreement.overlap < LEAST_OVERLAP and not force:
        raise EncoderMismatchError(
            f"int8 finds only {agreement.overlap:.0%} of fp32's {agreement.k} nearest over "
            f"{agreement.pictures} of your pictures (mean cosine {agreement.mean_cosine:.4f})",
            hint="use --precision auto, or --force to build with int8 all the same",
        )
    return int8, agreement


def _embed(encoder: Encoder, pixels: Pixels) -> Vectors:
    size = encoder.engine.batch_size
    batches = ((start, pixels[start : start + size]) for start in range(0, len(pixels), size))
    found = dict(encoder.stream(batches))
    return np.concatenate([found[start] for start in sorted(found)])
