"""HEIC and HEIF, which telephones write: read through pillow-heif where that is installed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from vecsearch.errors import ImageError
from vecsearch.images.decoders.formats import has_package, install_hint, names_of

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from vecsearch.images.decoders.decoder import Size

_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
"""Of ISO/IEC 23008-12; mif1 and msf1 tell of the container alone, which AVIF has too."""


class HeifDecoder:
    """Reads HEIC and HEIF through Pillow, once pillow-heif has taught it to."""

    def takes(self, data: bytes) -> bool:
        """Return whether a file is HEIC or HEIF; an AVIF is not."""
        return is_heif(data)

    def open(self, data: bytes) -> ImageFile:
        """Read the header; raises ImageError where nothing is installed that reads it."""
        from vecsearch.images.decoders.pillow import open_as

        if not reads_heif():
            raise ImageError(f"is HEIC, which is not read without an extra; {install_hint('heif')}")
        load_heif()
        image = open_as(names_of("heif"), data)
        if image is None:
            raise ImageError("is HEIC, and cannot be decoded")
        return image

    def load(self, image: ImageFile, data: bytes, draft: Size | None) -> ImageFile:
        """Decode the pixels, at full size."""
        image.load()
        return image


DECODER: Final = HeifDecoder()


def reads_heif() -> bool:
    """Return whether HEIC is read here, without loading what reads it."""
    return has_package("pillow_heif")


def is_heif(data: bytes) -> bool:
    """Return whether a file is HEIC or HEIF, whatever its name; an AVIF is not."""
    if data[4:8] != b"ftyp" or data[8:12] not in _BRANDS:
        return False
    brands = data[16 : int.from_bytes(data[:4], "big")][:1024]
    return data[8:12] not in (b"mif1", b"msf1") or b"avif" not in brands


def heif_sizes(data: bytes) -> list[tuple[int, int]]:
    """List the sizes of the pictures in a HEIF, not decoded; raises what pillow-heif raises.

    Going to one of them in Pillow makes room for its pixels, however many it says it has.
    """
    import pillow_heif

    return [one.size for one in pillow_heif.open_heif(data)]


@cache
def load_heif() -> None:
    """Teach Pillow to read HEIF; raises ImportError where pillow-heif is not installed."""
    import pillow_heif

    pillow_heif.register_heif_opener(
        thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
    )
