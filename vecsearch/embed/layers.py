"""The layers of a network that features are taken from, and their pooling."""

from __future__ import annotations

from typing import Final

from vecsearch.embed.backbones.backbone import Backbone
from vecsearch.errors import UsageError

POOLINGS: Final = ("flatten", "avg", "max", "gem")


def parse_layers(backbone: Backbone, text: str) -> tuple[str, ...]:
    """Split *text*, names joined by ``+``, into names in network order; raises UsageError."""
    known = [layer.name for layer in backbone.layers]
    names = [part.strip() for part in text.split("+")]
    for name in names:
        if name not in known:
            raise UsageError(
                f"unknown layer {name!r} of {backbone.facts.name}",
                hint=f"known are {', '.join(known)}",
            )
    if len(set(names)) < len(names):
        raise UsageError(f"a layer is named twice in {text!r}")
    return tuple(sorted(names, key=known.index))


def parse_pooling(text: str) -> str:
    """Return *text* if it is a pooling; raises UsageError."""
    if text not in POOLINGS:
        raise UsageError(f"unknown pooling {text!r}", hint=f"known are {', '.join(POOLINGS)}")
    return text


def feature_dim(backbone: Backbone, names: tuple[str, ...], pool: str) -> int:
    """Return the length of the feature vector before any projection."""
    layers = {layer.name: layer for layer in backbone.layers}
    return sum(
        layer.channels * (layer.side**2 if pool == "flatten" and not layer.flat else 1)
        for layer in (layers[name] for name in names)
    )
