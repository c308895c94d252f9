"""What help texts say of the models, taken from their rows of data."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

from vecsearch.embed.backbones.backbone import Backbone, Downloaded
from vecsearch.embed.backbones.registry import DEFAULT_MODEL, MODELS

_LISTED: Final = 2
"""Up to this number, layers with numbers are listed one by one, and otherwise as first ... last."""


def downloads() -> str:
    """Say of which models the weights are downloaded, and how large they are."""
    return "; ".join(
        f"of {one.facts.name} downloaded once, {one.facts.pretrained.size_bytes / 1e6:.0f} MB"
        for one in _backbones()
        if isinstance(one.facts.pretrained, Downloaded)
    )


def known_layers() -> str:
    """List the layers of every model, shortened."""
    return "; ".join(f"{_shortened(one)} of {one.facts.name}" for one in _backbones())


def default_layers() -> str:
    """List the layers that models are cut at by default."""
    return ", ".join(one.facts.default_layer for one in _backbones())


def default_pools() -> str:
    """List the poolings that models have by default."""
    return ", ".join(dict.fromkeys(one.facts.default_pool for one in _backbones()))


def earlier_layer() -> str:
    """Return a layer of the default model before its usual one: twice as many places a side."""
    backbone = MODELS[DEFAULT_MODEL]
    sides = {layer.name: layer.side for layer in backbone.layers}
    wanted = 2 * sides[backbone.facts.default_layer]
    return next(name for name, side in sides.items() if side == wanted)


def _backbones() -> list[Backbone]:
    return list(MODELS.values())


def _shortened(backbone: Backbone) -> str:
    parts: list[str] = []
    for _, group in groupby((layer.name for layer in backbone.layers), _stem):
        names = list(group)
        parts += names if len(names) <= _LISTED else [f"{names[0]} ... {names[-1]}"]
    return ", ".join(parts)


def _stem(name: str) -> str:
    return re.split(r"\d", name)[0]
