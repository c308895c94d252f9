"""The encoder of a build: the one that the index carries, or a new one, fitted to the pictures."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from vecsearch.embed.encoder import Encoder, EncoderConfig, check_same, make_encoder, open_encoder
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import EncoderMismatchError
from vecsearch.indexing.fit import Sample, fit_int8, fit_projection
from vecsearch.store.change import NewIndex
from vecsearch.store.snapshot import Snapshot
from vecsearch.types import Agreement, Progress, Reduction


@dataclass(frozen=True, slots=True)
class FittedEncoder:
    """A new encoder, what its PCA keeps, and how its int8 network compares with fp32."""

    encoder: Encoder
    reduction: Reduction | None = None
    agreement: Agreement | None = None


def checked_spec(snapshot: Snapshot, config: EncoderConfig) -> EncoderSpec:
    """Return the encoder of an index; raises EncoderMismatchError if *config* is another."""
    spec = EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim)
    if spec.is_external:
        raise EncoderMismatchError(
            f"{snapshot.folder} was imported and has no network to embed pictures with",
            hint="choose another index with -i, or import it anew with --encoder INDEX",
            path=snapshot.folder,
        )
    differing = check_same(config, spec)
    if differing:
        raise EncoderMismatchError(
            f"{snapshot.folder} was built with another encoder than {', '.join(differing)}",
            hint="leave the option out to update it, build with --fresh to start over, "
            "or choose another index with -i",
            path=snapshot.folder,
        )
    return spec


def carried_encoder(snapshot: Snapshot, spec: EncoderSpec, config: EncoderConfig) -> Encoder:
    """Open the encoder of an index to embed pictures with; raises IndexFolderError."""
    spec.check_current(snapshot.folder)
    files = snapshot.encoder_files()
    snapshot.check_constants()
    return open_encoder(spec, files.xml, files.constants, engine=config.engine)


def new_encoder(
    config: EncoderConfig, sample: Sample, force: bool, folder: Path, progress: Progress | None
) -> FittedEncoder:
    """Make the encoder of a new index in *folder*, and fit what *config* asks for to *sample*.

    *force* takes an int8 network that agrees little with fp32.
    """
    encoder = make_encoder(config, progress)
    reduction, agreement = None, None
    if config.dim is not None:
        place = _existing(folder)
        encoder, reduction = fit_projection(encoder, sample, config.dim, place, progress)
    if config.precision == "int8":
        encoder, agreement = fit_int8(encoder, sample, force, progress)
    return FittedEncoder(encoder, reduction, agreement)


def new_index_of(fitted: FittedEncoder, xml: bytes, constants: bytes, recipe: str) -> NewIndex:
    """Describe a new index with a new encoder, whose files have the contents *xml*, *constants*."""
    encoder = fitted.encoder
    return NewIndex(
        encoder.spec.to_json(),
        encoder.spec.dim,
        xml,
        constants,
        agreement=_note(fitted.agreement),
        reduction=_note(fitted.reduction),
        recipe=recipe,
        encoder_words=encoder.words.to_bytes() if encoder.words else b"",
    )


def _existing(folder: Path) -> Path:
    """Return *folder* or the nearest folder above it that exists, where there is to be room.

    The system's folder for temporary files is often in memory, which is what such a file spares.
    """
    return next(one for one in (folder, *folder.absolute().parents) if one.is_dir())


def _note(measured: Agreement | Reduction | None) -> str:
    return json.dumps(dataclasses.asdict(measured)) if measured else ""
