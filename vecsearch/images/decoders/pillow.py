"""The formats that Pillow reads by itself."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import struct
from collections.abc import Sequence
from typing import Final

from PIL import Image, UnidentifiedImageError, _imaging
from PIL.ImageFile import ImageFile

from vecsearch.images.decoders.decoder import Size
from vecsearch.images.decoders.formats import names_of
from vecsearch.images.decoders.jpeg_end import with_end
from vecsearch.images.decoders.metadata import pixels_alone

_NAMES: Final = names_of("pillow")


def _silence_decoders() -> None:
    """Keep remarks about damaged files off stderr; a file that cannot be used is an error here."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    # Pillow silences libtiff's warnings only. Where it is linked statically, they stay.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


_silence_decoders()


class PillowDecoder:
    """Reads what Pillow knows, and no other decoder takes."""

    def takes(self, data: bytes) -> bool:
        """Return True: Pillow is asked last."""
        return True

    def open(self, data: bytes) -> ImageFile:
        """Read the header; raises what Pillow raises."""
        image = open_as(_NAMES, data)
        if image is None:
            raise UnidentifiedImageError("not a picture in a format known here")
        return image

    def load(self, image: ImageFile, data: bytes, draft: Size | None) -> ImageFile:
        """Decode the pixels, also of a JPEG that lacks only its end marker."""
        try:
            image.load()
        except OSError:
            whole = with_end(data, self.open, draft)
            if whole is None:
                raise
            image = self.open(whole)
            if draft:
                image.draft(None, draft)
            image.load()
        return image


DECODER: Final = PillowDecoder()


def open_as(names: Sequence[str], data: bytes) -> ImageFile | None:
    """Read a header by the decoders of Pillow with these *names*; None if none of them can.

    They are tried one by one, as `Image.open` does. `Image.open` has its own limit for the size of
    pictures, which holds for the whole process and is not the limit of `decode`.
    """
    data = pixels_alone(data)
    start = data[:16]
    # All of Pillow's decoders take 35 ms to load, those of most pictures none.
    for load in (Image.preinit, Image.init):
        load()
        for name in names:
            factory, accepts = Image.OPEN.get(name, (None, None))
            if factory is None or not (accepts is None or accepts(start) is True):
                continue
            # If the file is of another format after all, the next decoder is tried.
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):
                return factory(io.BytesIO(data), "")
    return None
