"""What an index is, in figures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vecsearch.embed.spec import EncoderSpec
from vecsearch.search.opened import Opened
from vecsearch.types import Agreement, Reduction, Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexInfo:
    """What an index is: its encoder, its size, where its pictures are, what was skipped.

    ``reduction`` is what the build measured of a PCA, ``agreement`` of an int8 encoder against
    fp32, None for others.
    """

    path: Path
    images: int
    generation: int
    recipe: str
    size_bytes: int
    encoder: EncoderSpec
    reduction: Reduction | None
    agreement: Agreement | None
    sources: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def describe(opened: Opened, encoder: EncoderSpec) -> IndexInfo:
    """Describe an opened index."""
    snapshot = opened.snapshot
    return IndexInfo(
        path=snapshot.folder,
        images=len(opened),
        generation=snapshot.generation.id,
        recipe=", ".join(dict.fromkeys(one.recipe for one in snapshot.bases.values())),
        size_bytes=sum(file.size_bytes for file in snapshot.files()),
        encoder=encoder,
        reduction=Reduction(**json.loads(snapshot.reduction)) if snapshot.reduction else None,
        agreement=Agreement(**json.loads(snapshot.agreement)) if snapshot.agreement else None,
        sources=tuple(snapshot.sources()),
        skipped=tuple(snapshot.skipped()),
    )
