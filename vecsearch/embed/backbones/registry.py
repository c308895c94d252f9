"""The models that there are."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from vecsearch.embed.backbones.backbone import Backbone
from vecsearch.embed.backbones.efficientnet_lite import EFFICIENTNET_LITE0
from vecsearch.embed.backbones.vgg19 import VGG19
from vecsearch.errors import UsageError

MODELS: Final[Mapping[str, Backbone]] = {one.facts.name: one for one in (VGG19, EFFICIENTNET_LITE0)}
DEFAULT_MODEL: Final = VGG19.facts.name
PACKAGED_MODEL: Final = EFFICIENTNET_LITE0.facts.name
"""The one whose pretrained weights need no download."""


def find_model(name: str) -> Backbone:
    """Return the model called *name*; raises UsageError with the nearest name and the list."""
    if name in MODELS:
        return MODELS[name]
    near = difflib.get_close_matches(name.lower(), MODELS, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"unknown model {name!r}", hint=f"{meant}known are {', '.join(MODELS)}")
