"""The classifier that is cut off: its rows and their names are the words of an index."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vecsearch.embed import cache, download
from vecsearch.embed.backbones.backbone import CLASSES, Array, Backbone, Downloaded, Packaged
from vecsearch.embed.backbones.imagenet import class_names
from vecsearch.embed.checkpoint import read_checkpoint
from vecsearch.embed.packaged import packaged_file
from vecsearch.embed.spec import PRETRAINED, RANDOM, EncoderSpec
from vecsearch.embed.words import Words
from vecsearch.errors import WeightsError
from vecsearch.unit_length import lengths_of

_PART: Final = "classifier"
_NAMES: Final = ("imagenet", "names")
"""What the names of the classes are called in the cache: importing torchvision takes seconds."""

_POOLED: Final = ("avg", "gem", "max")


def load_words(source: str, backbone: Backbone, layers: Sequence[str], pool: str) -> Words | None:
    """Return the words of the weights *source*, as `load_weights` has it, which was called before.

    None where the classifier does not follow *layers* and *pool*, or where *source* has none. A
    file is taken to tell the 1,000 classes of ImageNet apart, in their order, if its classifier has
    as many rows.
    """
    if source.startswith(RANDOM) or not follows(backbone, layers, pool):
        return None
    found = _arrays(source, backbone)
    if found is None:
        return None
    one = backbone.facts.classifier
    if not lengths_of(found[one.weight]).all():
        return None
    return Words.of_classifier(_names(), found[one.weight], found[one.bias], one.length)


def keep_classifier(stem: str, checkpoint: Path, backbone: Backbone) -> None:
    """Keep the classifier in *checkpoint*, if it has one, beside the weights called *stem*."""
    if found := _read(checkpoint, backbone):
        cache.keep(stem, _PART, found)


def why_no_words(spec: EncoderSpec) -> tuple[str, str]:
    """Return why an index has no words, and what to do about it."""
    if spec.is_external:
        return (
            "its vectors were imported without a network",
            "vecsearch import --encoder INDEX takes network and words along",
        )
    if spec.weights.startswith(RANDOM):
        return "its network is untrained", "pretrained weights have words"
    facts = spec.backbone.facts
    if spec.layers != (facts.classifier.layer,):
        return (
            f"the classifier of {facts.title} does not follow {spec.layer}",
            f"--layer {facts.classifier.layer} has words",
        )
    if not follows(spec.backbone, spec.layers, spec.pool):
        return (
            f"the classifier of {facts.title} does not follow features that are not pooled",
            f"--pool {', '.join(_POOLED[:-1])} and {_POOLED[-1]} have words",
        )
    if spec.weights != PRETRAINED:
        return (
            f"its weights {spec.weights} came without a classifier of {CLASSES:,} words",
            f"--weights {PRETRAINED} has words",
        )
    return "it was built without them, or lost them", "vecsearch build --fresh makes it with words"


def follows(backbone: Backbone, layers: Sequence[str], pool: str) -> bool:
    """Return whether the classifier's rows fit the features of *layers* and *pool*.

    Generalised means and maxima stand in for averages: they are longer, and point alike.
    """
    layer = backbone.facts.classifier.layer
    flat = any(one.flat for one in backbone.layers if one.name == layer)
    return tuple(layers) == (layer,) and (flat or pool in _POOLED)


def _arrays(source: str, backbone: Backbone) -> dict[str, Array] | None:
    match backbone.facts.pretrained:
        case Packaged() as packaged if source == PRETRAINED:
            return _packaged(packaged, backbone)
        case Downloaded(url=url) if source == PRETRAINED:
            return _cached(download.stem_of(url), backbone)
        case _ if source.startswith(("http://", "https://")):
            return _cached(download.stem_of(source), backbone)
    return _read(Path(source), backbone)


def _packaged(packaged: Packaged, backbone: Backbone) -> dict[str, Array] | None:
    path = packaged_file(packaged)
    if kept := _cached(path.stem, backbone):
        return kept
    with contextlib.suppress(WeightsError, OSError):  # costs time only
        keep_classifier(path.stem, path, backbone)
    return _read(path, backbone)


def _cached(stem: str, backbone: Backbone) -> dict[str, Array] | None:
    with contextlib.suppress(WeightsError):
        if kept := cache.cached(stem, _PART):
            return _read(kept, backbone)
    return None


def _read(path: Path, backbone: Backbone) -> dict[str, Array] | None:
    facts = backbone.facts
    with contextlib.suppress(WeightsError):
        return read_checkpoint(path, facts.classifier.shapes, facts.title)
    return None


def _names() -> list[str]:
    """Return the names of ImageNet's classes, in the order of every classifier of them."""
    with contextlib.suppress(WeightsError):
        if kept := cache.cached(*_NAMES):
            return _read_names(kept)
    names = class_names()
    with contextlib.suppress(WeightsError, OSError):
        cache.keep(*_NAMES, {}, {"names": json.dumps(names)})
    return names


def _read_names(path: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        names: list[str] = json.loads(file.metadata()["names"])
    return names
