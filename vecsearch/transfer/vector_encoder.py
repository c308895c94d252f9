"""The encoder of vectors that come from elsewhere: carried over from an index, or only named."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from vecsearch.embed.spec import EncoderSpec, ExternalEncoder
from vecsearch.errors import EncoderMismatchError
from vecsearch.store.change import NewIndex
from vecsearch.store.snapshot import Snapshot
from vecsearch.transfer.inputs import ImportOptions, Input


def carried(snapshot: Snapshot) -> NewIndex:
    """Describe a new index with encoder and recipe of another; raises IndexDamagedError."""
    if EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim).is_external:
        return NewIndex(
            snapshot.encoder_json, snapshot.dim, recipe=snapshot.recipe, recall=snapshot.recall
        )
    files = snapshot.encoder_files()
    snapshot.check_constants()
    return NewIndex(
        snapshot.encoder_json,
        snapshot.dim,
        files.xml.read_bytes(),
        files.constants.read_bytes(),
        agreement=snapshot.agreement,
        reduction=snapshot.reduction,
        recipe=snapshot.recipe,
        recall=snapshot.recall,
        encoder_words=snapshot.read_words() if snapshot.words_record else b"",
    )


def new_index(inputs: Sequence[Input], options: ImportOptions, name: str) -> NewIndex:
    """Describe a new index of the vectors in *inputs*; raises EncoderMismatchError.

    Where neither the user nor a file tells what made the vectors, that is called *name*.
    """
    if options.encoder is not None:
        with closing(Snapshot(Path(options.encoder))) as snapshot:
            new = carried(snapshot)
    else:
        claims = [claim for one in inputs if (claim := one.claimed_encoder())]
        name = options.encoder_name or (_name(claims[0]) if claims else name)
        spec = ExternalEncoder.named(name, inputs[0].vectors.dim)
        new = NewIndex(spec.to_json(), spec.dim)
    check_same_encoder(EncoderSpec.from_json(new.encoder_json), None, inputs, options)
    return new


def check_same_encoder(
    spec: EncoderSpec, folder: Path | None, inputs: Sequence[Input], options: ImportOptions
) -> None:
    """Raise EncoderMismatchError unless *inputs* can be vectors of *spec*, that of *folder*.

    A .npy does not tell what made it, a .parquet of ours does; for the rest the user's word counts.
    """
    where = str(folder or options.encoder or "the new index")
    if inputs[0].vectors.dim != spec.dim:
        raise EncoderMismatchError(
            f"the vectors in {inputs[0].path} have {inputs[0].vectors.dim} dimensions, "
            f"those of {where} have {spec.dim}",
            path=inputs[0].path,
        )
    vouched = options.encoder is not None or options.encoder_name is not None
    if folder is not None and options.encoder is not None:
        with closing(Snapshot(Path(options.encoder))) as snapshot:
            other = EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim)
        if other.fingerprint != spec.fingerprint:
            raise differing(folder, spec, Path(options.encoder), other)
    if options.encoder_name is not None and options.encoder_name != _name(spec):
        raise EncoderMismatchError(
            f"{where} has vectors of {_name(spec)}, not of {options.encoder_name}",
            hint="choose another index with -i",
        )
    for one in inputs:
        claim = one.claimed_encoder()
        if claim is None:
            if not (vouched or spec.is_external):
                raise EncoderMismatchError(
                    f"{where} has a network, and {one.path} does not say that this network made it",
                    hint=f"if it did, say so with --encoder {where}",
                    path=one.path,
                )
        elif _name(claim) != _name(spec) and not (vouched and claim.is_external):
            raise EncoderMismatchError(
                f"{one.path} has vectors of {_name(claim)}, {where} those of {_name(spec)}",
                hint="choose another index with -i",
                path=one.path,
            )


def differing(
    one: Path, spec: EncoderSpec, another: Path, other: EncoderSpec
) -> EncoderMismatchError:
    """Return the error for two indexes with encoders whose vectors cannot be compared."""
    return EncoderMismatchError(
        f"{one} and {another} have different encoders: {spec.title} ({spec.fingerprint}) and "
        f"{other.title} ({other.fingerprint})",
        hint="only vectors of one encoder can be compared",
    )


def _name(spec: EncoderSpec) -> str:
    """Name an encoder so that another one has another name."""
    return spec.weights if spec.is_external else f"{spec.backbone.facts.title} {spec.fingerprint}"
