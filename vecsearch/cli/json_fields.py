"""Records as the JSON of the command line has them; ``docs/schema.json`` describes the same."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from vecsearch.embed.spec import EncoderSpec
from vecsearch.types import Image


def record_fields(record: Any, **changed: object) -> dict[str, object]:
    """Return the fields of a dataclass; those that are *changed*, or are not its own, as given."""
    return {field.name: getattr(record, field.name) for field in fields(record)} | changed


def renamed(found: dict[str, object], **names: str) -> dict[str, object]:
    """Return *found* in its order, with new names for some fields."""
    return {names.get(name, name): value for name, value in found.items()}


def encoder_fields(encoder: EncoderSpec) -> dict[str, object]:
    """Return what an encoder is, with its name in a line and its fingerprint."""
    named = {"title": encoder.title, "fingerprint": encoder.fingerprint}
    return named | record_fields(encoder)


def image_fields(image: Image) -> dict[str, object]:
    """Return what an index knows of an image; where its vector lies is the index's own matter."""
    known = {"id": image.id} | record_fields(image)
    del known["row"]
    return known


def settings_fields(settings: Any) -> dict[str, object]:
    """Return how a FAISS base is searched; ``recall`` is None if it was not measured."""
    return record_fields(settings, recall=measured(settings.recall))


def measured(recall: float) -> float | None:
    """Return a recall, None for the negative number that stands for one not measured."""
    return recall if recall >= 0 else None
