"""The parameters of a truncated network: packaged, downloaded, from a file, or seeded."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vecsearch.embed import cache, download
from vecsearch.embed.backbones.backbone import Array, Backbone, Downloaded, Packaged, Shapes
from vecsearch.embed.backbones.registry import PACKAGED_MODEL
from vecsearch.embed.checkpoint import read_checkpoint
from vecsearch.embed.classifier import keep_classifier
from vecsearch.embed.packaged import packaged_file
from vecsearch.embed.spec import PRETRAINED, RANDOM
from vecsearch.errors import UsageError, WeightsError
from vecsearch.types import Progress


@dataclass(frozen=True, slots=True)
class Weights:
    """The parameters of a truncated network by name, and what they are called."""

    name: str
    arrays: Mapping[str, Array]

    def sha256(self) -> str:
        """Return the SHA-256 of names, shapes and float32 values, whatever file they came in."""
        digest = hashlib.sha256()
        for name in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[name], dtype="<f4")
            digest.update(f"{name}{array.shape}".encode())
            digest.update(array.data)
        return digest.hexdigest()


def load_weights(
    source: str, backbone: Backbone, deepest: str, progress: Progress | None = None
) -> Weights:
    """Load the parameters of *backbone* up to the layer *deepest* from *source*.

    *source* is ``imagenet``, the model's own pretrained weights; a .pth or .safetensors file; the
    URL of a checkpoint that carries the start of its SHA-256 in its name, as PyTorch's do; or, for
    tests, ``random:SEED``.

    Raises WeightsError if they cannot be had or believed, UsageError for another *source*.
    """
    if source.startswith(RANDOM):
        return Weights(source, random_arrays(_seed(source), backbone.parameters(deepest)))
    if source == PRETRAINED:
        return Weights(source, _pretrained(backbone, deepest, progress))
    if source.startswith(("http://", "https://")):
        name = source.rpartition("/")[2]
        return Weights(name, _downloaded(source, backbone, deepest, progress))
    path = Path(source)
    if not os.path.isfile(path):  # noqa: PTH113 - of any text
        raise WeightsError(
            f"no weights file {source}",
            hint=f"give a .pth or .safetensors file, or '{PRETRAINED}'",
            path=path,
        )
    return Weights(path.name, read_arrays(path, backbone, deepest))


def is_at_hand(backbone: Backbone, deepest: str) -> bool:
    """Return whether the pretrained weights up to *deepest* can be had without a download."""
    pretrained = backbone.facts.pretrained
    if isinstance(pretrained, Packaged):
        return True
    with contextlib.suppress(WeightsError):  # no cache folder, or what lies there is damaged
        return _cached(download.stem_of(pretrained.url), backbone, deepest) is not None
    return False


def random_arrays(seed: int, shapes: Shapes) -> dict[str, Array]:
    """Make untrained parameters: He-normal, zero bias, each filter's mean taken out.

    He et al., "Delving Deep into Rectifiers" (ICCV 2015), eq. 10. Without its mean over channels
    and window a filter is a band-pass, which tells pictures apart far better than the plain
    initialisation, whose first principal component swamps all others.
    """
    generator = np.random.RandomState(seed)  # the one generator whose stream numpy never changes
    arrays: dict[str, Array] = {}
    for name, shape in shapes.items():
        if name.endswith(".bias"):
            arrays[name] = np.zeros(shape, np.float32)
            continue
        fan_in = int(np.prod(shape[1:]))
        values = generator.standard_normal(shape).astype(np.float32)
        values *= np.float32(np.sqrt(2.0 / fan_in))
        values -= values.mean(axis=tuple(range(1, len(shape))), keepdims=True)
        arrays[name] = values
    return arrays


def read_arrays(path: Path, backbone: Backbone, deepest: str) -> dict[str, Array]:
    """Read the parameters up to *deepest* from a checkpoint file; raises WeightsError."""
    found = read_checkpoint(path, backbone.checkpoint(deepest), backbone.facts.title)
    return backbone.from_checkpoint(found, deepest)


def _pretrained(backbone: Backbone, deepest: str, progress: Progress | None) -> dict[str, Array]:
    match backbone.facts.pretrained:
        case Downloaded(url=url):
            return _downloaded(url, backbone, deepest, progress)
        case Packaged() as packaged:
            return _packaged(packaged, backbone, deepest)


def _downloaded(
    url: str, backbone: Backbone, deepest: str, progress: Progress | None
) -> dict[str, Array]:
    """Take the truncated part from the cache, or download the whole once and cut it."""
    stem = download.stem_of(url)
    kept = _cached(stem, backbone, deepest)
    if kept is None:
        part, end = _part(backbone, deepest)
        way_without = f"--model {PACKAGED_MODEL} needs no download"
        with download.fetched(url, progress, way_without=way_without) as checkpoint:
            found = read_checkpoint(checkpoint, backbone.checkpoint(end), backbone.facts.title)
            if end == backbone.facts.classifier.layer:
                keep_classifier(stem, checkpoint, backbone)
        kept = cache.keep(stem, part, found)
    return read_arrays(kept, backbone, deepest)


def _cached(stem: str, backbone: Backbone, deepest: str) -> Path | None:
    return cache.cached(stem, _part(backbone, deepest)[0]) or cache.cached(stem, "fc")


def _part(backbone: Backbone, deepest: str) -> tuple[str, str]:
    """Name the part of a checkpoint that is kept, and the layer where it ends.

    Fully connected layers are most of some networks, and are kept if they are asked for.
    """
    convolutional = [layer.name for layer in backbone.layers if not layer.flat]
    if deepest in convolutional:
        return "conv", convolutional[-1]
    return "fc", backbone.layers[-1].name


def _packaged(packaged: Packaged, backbone: Backbone, deepest: str) -> dict[str, Array]:
    """Take the parameters from a package, by a copy in the cache that is read without torch."""
    path = packaged_file(packaged)
    # A cache that is damaged, or cannot be written, costs time only.
    with contextlib.suppress(WeightsError):
        if kept := cache.cached(path.stem, "whole"):
            return read_arrays(kept, backbone, deepest)
    shapes = backbone.checkpoint(backbone.layers[-1].name)
    found = read_checkpoint(path, shapes, backbone.facts.title)
    with contextlib.suppress(WeightsError, OSError):
        cache.keep(path.stem, "whole", found)
    return backbone.from_checkpoint(found, deepest)


def _seed(source: str) -> int:
    digits = source.partition(":")[2]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 11 and int(digits) < 2**32):
        raise UsageError(f"{source!r} needs a seed from 0 to {2**32 - 1}", hint="e.g. random:0")
    return int(digits)
