"""HEIC and HEIF, which telephones write: read through pillow-heif where that is installed."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Final

_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
"""Of ISO/IEC 23008-12; mif1 and msf1 tell of the container alone, which AVIF has too."""

WAY: Final = "pip install 'vecsearch[heif]' reads them"


@cache
def reads_heif() -> bool:
    """Return whether HEIC is read here, without loading what reads it."""
    return find_spec("pillow_heif") is not None


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
