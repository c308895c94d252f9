"""Grey values of more than 8 bits: which of them are black and white."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from encoded import error, grey_scene, png, saved, tiff
from PIL import Image

from vecsearch.errors import ImageError
from vecsearch.images.decoders.to_rgb import decode

GREY = grey_scene()


@pytest.mark.parametrize("bits", [8, 9, 10, 11, 12, 14, 16])
def test_so_many_bits_in_sixteen_are_a_whole_picture(bits: int) -> None:
    values = np.rint(GREY / 255 * (2**bits - 1)).astype(np.uint16)
    assert error(png(values, 0, 16), GREY) < 1
    assert error(tiff(values), GREY) < 1
    assert error(tiff(values, order=">"), GREY) < 1
    assert error(saved(Image.fromarray(values), "PPM"), GREY) < 1


def test_the_whole_range_is_kept_to_the_level() -> None:
    values = GREY.astype(np.uint16) * 257
    assert error(png(values, 0, 16), GREY) == 0
    assert error(tiff(GREY.astype(np.uint32) * 16843009), GREY) == 0
    assert error(tiff((GREY / 255).astype(np.float32)), GREY) == 0
    assert error(tiff(GREY.astype(np.float32)), GREY) == 0


def test_exposures_stay_different() -> None:
    """The range is that of so many bits, not that of the values."""
    values = GREY.astype(np.float64) / 255 * 4095
    dark, light = (np.asarray(decode(png((values * f).astype(np.uint16), 0, 16))[0])
                   for f in (0.6, 1.0))  # fmt: skip
    assert light.mean() > 1.4 * dark.mean()
    floats = [tiff((GREY / 255 * share).astype(np.float32)) for share in (0.4, 0.9)]
    dark, light = (np.asarray(decode(data)[0]) for data in floats)
    assert light.mean() > 2 * dark.mean()


@pytest.mark.parametrize("odd", [-9999.0, -3.4e38, 1e20, np.nan, np.inf, -np.inf, 255000.0])
def test_pixels_without_data_and_hot_ones_do_not_darken_a_picture(odd: float) -> None:
    heights = (GREY / 255 * 900 + 300).astype(np.float32)  # metres, say
    low, high = heights.min(), heights.max()
    truth = np.rint((heights - low) / (high - low) * 255)
    holes = np.zeros(GREY.shape, bool)
    holes[20:40, 30:80] = True
    heights[holes] = odd
    found = np.asarray(decode(tiff(heights))[0], float)[..., 0]
    assert np.abs(found - truth)[~holes].mean() < 3
    one = (GREY / 255).astype(np.float32)
    one[5, 5] = odd
    assert error(tiff(one), GREY) < 1


def test_hot_pixels_among_integers() -> None:
    values = np.tile((GREY / 255 * 4095).astype(np.uint16), (4, 4))
    values[3, 3] = values[9, 9] = 65535
    assert error(png(values, 0, 16), np.tile(GREY, (4, 4))) < 1


def test_signed_values_are_stretched() -> None:
    for kind in (np.int16, np.int32):
        values = (GREY.astype(kind) - 128) * 20
        assert error(tiff(values), GREY) < 2


@pytest.mark.parametrize(
    ("kind", "order"), [*((kind, "<") for kind in ("u1", "u2", "u4", "f4")),
                        *((kind, ">") for kind in ("u1", "u2", "f4"))],
)  # fmt: skip
def test_white_may_be_zero(kind: str, order: Literal["<", ">"]) -> None:
    most = {"u1": 255, "u2": 65535, "u4": 4294967295, "f4": 1}[kind]
    values = np.rint((255 - GREY) / 255 * most) if kind != "f4" else (255 - GREY) / 255
    assert error(tiff(values.astype(kind), 0, order), GREY) < 1


def test_what_pillow_does_not_read_is_refused() -> None:
    """Big-endian TIFFs of 32 unsigned bits."""
    with pytest.raises(ImageError):
        decode(tiff(GREY.astype("u4"), 0, ">"))


def test_masks_and_constants_stay_what_they_are() -> None:
    mask = np.zeros((60, 80), np.uint16)
    mask[10:30, 10:50] = 65535
    assert error(png(mask, 0, 16), mask // 257) == 0
    for data in (png(np.full((9, 9), 7, np.uint16), 0, 16), tiff(np.full((9, 9), 4.5, np.float32)),
                 tiff(np.full((9, 9), np.nan, np.float32))):  # fmt: skip
        assert len(np.unique(np.asarray(decode(data)[0]))) == 1
