"""Training the PCA of ``--dim`` on a seeded sample of the pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vecsearch.building.batch import batched
from vecsearch.embed.encoder import Encoder
from vecsearch.embed.projection import check_dim, sample_size, train_projection
from vecsearch.images.read import read_images
from vecsearch.images.scan import FoundFile
from vecsearch.types import Progress


def with_trained_projection(
    encoder: Encoder, files: Sequence[FoundFile], dim: int, progress: Progress | None
) -> tuple[Encoder, float]:
    """Give *encoder* with a PCA to *dim* trained on a sample of *files*, and the variance kept.

    Raises UsageError if too few of them can be read.
    """
    feature_dim = encoder.spec.feature_dim
    count = min(len(files), sample_size(dim, feature_dim))
    check_dim(dim, feature_dim, count)
    chosen = np.random.RandomState(0).permutation(len(files))[:count]
    paths = ((i, files[i].as_path()) for i in chosen)
    outcomes = read_images(paths, encoder.spec.image_size)
    images = ((one.tag, one.image) for one in outcomes if one.image is not None)
    parts = []
    done = 0
    for batch, vectors in encoder.stream(batched(images)):
        parts.append(vectors)
        done += len(batch)
        if progress:
            progress("sampling for PCA", done, count)
    check_dim(dim, feature_dim, done)
    projection, kept = train_projection(np.concatenate(parts), dim)
    return encoder.with_projection(projection), kept
