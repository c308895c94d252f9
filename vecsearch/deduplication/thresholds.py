"""The cosines from which on pictures are copies, by encoder."""

from __future__ import annotations

from typing import Final

from vecsearch.embed.backbones.backbone import CopyCosines
from vecsearch.embed.spec import PRETRAINED, EncoderSpec

UNMEASURED: Final = CopyCosines(alone=0.997, candidate=0.997)
"""For features that were not measured; chosen with untrained ones.

See docs/experiments/duplicates.md.
"""


def copy_cosines(encoder: EncoderSpec) -> CopyCosines:
    """Return the cosines that were measured for *encoder*, else `UNMEASURED`.

    They are a model's at its default layer and pool, with its pretrained weights and no PCA.
    """
    if encoder.is_external:
        return UNMEASURED
    facts = encoder.backbone.facts
    as_measured = (
        encoder.layers == (facts.default_layer,)
        and encoder.pool == facts.default_pool
        and encoder.weights == PRETRAINED
        and not encoder.projection_hash
    )
    return facts.copies if as_measured and facts.copies else UNMEASURED
