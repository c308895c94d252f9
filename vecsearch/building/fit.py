"""What a new encoder learns from a seeded sample of the pictures: its PCA, its int8 ranges."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vecsearch.building.batch import batched
from vecsearch.building.reader import Reader
from vecsearch.building.worklist import Worklist
from vecsearch.embed.encoder import Encoder
from vecsearch.embed.projection import check_dim, sample_size, train_projection
from vecsearch.embed.quantize import (
    CALIBRATION_PICTURES,
    HELD_OUT_PICTURES,
    LEAST_OVERLAP,
    measure_agreement,
    quantized,
)
from vecsearch.errors import EncoderMismatchError, UsageError
from vecsearch.images.read import ReadImage
from vecsearch.types import Agreement, Pixels, Progress, Vectors


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
    encoder: Encoder, sample: Sample, dim: int, progress: Progress | None
) -> tuple[Encoder, float]:
    """Give *encoder* with a PCA to *dim* trained on pictures of *sample*, and the variance kept.

    Raises UsageError if too few of them can be read.
    """
    feature_dim = encoder.spec.feature_dim
    count = min(len(sample.files), sample_size(dim, feature_dim))
    check_dim(dim, feature_dim, count)
    parts: list[Vectors] = []
    done = 0
    pictures = sample.read(count)
    batches = batched(pictures, lambda: encoder.engine.batch_size)
    for batch, vectors in encoder.stream(batches):
        parts.append(vectors)
        done += len(batch)
        if progress:
            progress("sampling for PCA", done, count)
    check_dim(dim, feature_dim, done)
    projection, kept = train_projection(np.concatenate(parts), dim)
    return encoder.with_projection(projection), kept


def fit_int8(
    encoder: Encoder, sample: Sample, force: bool, progress: Progress | None
) -> tuple[Encoder, Agreement]:
    """Give *encoder* in int8, calibrated on pictures of *sample*, and its agreement with fp32.

    Raises UsageError with fewer than four readable pictures, EncoderMismatchError if the agreement
    is low and not *force*.
    """
    wanted = CALIBRATION_PICTURES + HELD_OUT_PICTURES
    # Pictures come as they are ready; in the order of the sample, every build calibrates alike.
    read = dict(sample.read(wanted))
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
    calibration = min(CALIBRATION_PICTURES, len(pixels) // 2)
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
