"""What reads the files of some formats."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import NamedTuple, Protocol

from PIL.ImageFile import ImageFile

from vecsearch.images.decoders.formats import FORMATS


class Size(NamedTuple):
    """The size of a picture in pixels."""

    width: int
    height: int


class Decoder(Protocol):
    """Reads the files of some formats; the steps that all formats share are in `decode`."""

    def takes(self, data: bytes) -> bool:
        """Return whether a file is of one of the formats, as its first bytes say."""

    def open(self, data: bytes) -> ImageFile:
        """Read the header, with the size; raises ImageError, and what the library raises."""

    def load(self, image: ImageFile, data: bytes, draft: Size | None) -> ImageFile:
        """Decode the pixels of a picture that was opened, with its `draft` set to *draft*.

        Returns it, or another in its place. Raises what the library raises.
        """


@cache
def decoders() -> tuple[Decoder, ...]:
    """Return all decoders: each is the ``DECODER`` of the module that `FORMATS` names.

    Pillow's is the last: it takes what is left.
    """
    names = sorted({one.decoder for one in FORMATS}, key=lambda name: (name == "pillow", name))
    modules = (import_module(f"vecsearch.images.decoders.{name}") for name in names)
    return tuple(module.DECODER for module in modules)


def decoder_of(data: bytes) -> Decoder:
    """Return the decoder that takes a file, whatever its name."""
    return next(one for one in decoders() if one.takes(data))


def has_own_decoder(data: bytes) -> bool:
    """Return whether the first bytes of a file are those of a format that Pillow does not read."""
    return any(one.takes(data) for one in decoders()[:-1])
