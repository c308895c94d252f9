"""The models that there are: adding one is a file of its own and a row here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from vecsearch.embed.backbones.backbone import Backbone, Packaged
from vecsearch.embed.backbones.efficientnet_lite import EFFICIENTNET_LITE0
from vecsearch.embed.backbones.vgg19 import VGG19
from vecsearch.errors import UsageError

MODELS: Final[Mapping[str, Backbone]] = {one.facts.name: one for one in (VGG19, EFFICIENTNET_LITE0)}
"""By name; the first is the default."""

DEFAULT_MODEL: Final = next(iter(MODELS))

PACKAGED_MODEL: Final = next(
    name for name, one in MODELS.items() if isinstance(one.facts.pretrained, Packaged)
)
"""The first model whose pretrained weights need no download."""

UNNAMED_MODEL: Final = next(name for name, one in MODELS.items() if one.facts.unnamed)
"""The model that old descriptions of encoders mean without naming it."""


def find_model(name: str) -> Backbone:
    """Return the model called *name*; raises UsageError with the nearest name and the list."""
    if name in MODELS:
        return MODELS[name]
    near = difflib.get_close_matches(name.lower(), MODELS, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"unknown model {name!r}", hint=f"{meant}known are {', '.join(MODELS)}")
