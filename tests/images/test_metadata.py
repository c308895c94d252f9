"""What a file holds beside its pixels may be odd, and costs no picture."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from encoded import chunk, error, png, saved, scene, with_exif
from PIL import Image, ImageCms

from vecsearch.errors import ImageError
from vecsearch.images.decoders.to_rgb import decode

SCENE = scene()
JPEG = saved(Image.fromarray(SCENE), "JPEG", quality=97, subsampling=0)
TRUTH = np.asarray(decode(JPEG)[0])


@pytest.mark.parametrize(
    "entry",
    [
        (0x112, 2, 2, b"1\0"),
        (0x112, 1, 1, b"\1"),
        (0x112, 3, 1, b"\0\0"),
        (0x112, 3, 1, b"\x09\0"),
        (0x112, 3, 1, b"\xff\xff"),
        (0x112, 3, 2, b"\1\0\6\0"),
        (0x112, 4, 1, b"\1\0\0\0"),
        (0x112, 5, 1, b"\xff\xff\xff\xff"),
        (0x112, 7, 4, b"oddy"),
        (0x112, 99, 1, b"\1"),
        (0x8769, 4, 1, b"\x08\0\0\0"),  # a directory within itself
        (0x010E, 2, 0xFFFFFFFF, b"\xff\xff\xff\x7f"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_odd_exif_is_passed_over(entry: tuple[int, int, int, bytes]) -> None:
    data = with_exif(JPEG, [entry, (0x9C9B, 1, 3, b"abc")])
    found = np.asarray(decode(data)[0], int)
    assert found.shape == TRUTH.shape
    assert np.array_equal(found, TRUTH)


@pytest.mark.parametrize("kind", [(1, b"\6"), (3, b"\6\0"), (4, b"\6\0\0\0"), (2, b"6\0")])
def test_an_orientation_counts_whatever_its_type(kind: tuple[int, bytes]) -> None:
    data = with_exif(JPEG, [(0x112, kind[0], len(kind[1]) if kind[0] == 2 else 1, kind[1])])
    image, size = decode(data)
    assert size == image.size == (90, 120)
    assert np.array_equal(np.asarray(image), np.rot90(TRUTH, -1))


def test_chunks_that_are_no_pixels_do_not_matter() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    long = zlib.compress(b"x" * 5_000_000)
    for odd in (
        chunk(b"zTXt", b"workflow\0\0" + long),
        chunk(b"iTXt", b"workflow\0\1\0\0\0" + long),
        chunk(b"tEXt", b"workflow\0" + b"x" * 3_000_000),
        chunk(b"iCCP", b"p\0\0" + zlib.compress(srgb + bytes(1_300_000))),
        chunk(b"iCCP", b"p\0\0" + zlib.compress(srgb), wrong=True),
        chunk(b"iCCP", b"p\0\0nonsense"),
        chunk(b"tEXt", b"a\0b", wrong=True),
        chunk(b"eXIf", b"II*\0nonsense"),
        chunk(b"eXIf", b"II*\0", wrong=True),
        chunk(b"gAMA", b"\0"),
        chunk(b"tIME", b"", wrong=True),
        chunk(b"abCd", b"what nobody knows"),
    ):
        assert error(png(SCENE, 2, 8, [odd]), SCENE) == 0
    whole = png(SCENE, 2, 8)
    cut = chunk(b"tEXt", b"a\0" + b"b" * 100)[:60]
    assert error(whole[:-12] + cut, SCENE) == 0


def test_damaged_pixels_are_not_passed_over() -> None:
    data = bytearray(png(SCENE, 2, 8))
    data[29] ^= 1  # the checksum of IHDR
    with pytest.raises(ImageError):
        decode(bytes(data))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_may_lack_its_end_and_nothing_more(progressive: bool) -> None:
    data = saved(Image.fromarray(SCENE), "JPEG", quality=90, progressive=progressive)
    whole = np.asarray(decode(data)[0])
    assert np.array_equal(np.asarray(decode(data[:-2])[0]), whole)
    assert np.array_equal(np.asarray(decode(data[:-1])[0]), whole)
    for missing in (12, 100, 1000):
        with pytest.raises(ImageError, match="truncated"):
            decode(data[:-missing])
