"""Profiles are honoured, and a colour that stands for none is white."""

from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from encoded import chunk, error, grey_scene, png, saved, scene, swapped_profile
from PIL import Image, ImageCms

from vecsearch.images.decoders.jpeg import plain_jpeg
from vecsearch.images.decoders.to_rgb import decode

SCENE = np.clip(scene(), 1, 254)
HOLE = np.zeros(SCENE.shape[:2], bool)
HOLE[20:50, 30:90] = True


@pytest.mark.parametrize("key", [(255, 0, 255), (0, 0, 0), (0, 255, 0)])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_colour_key_is_white(key: tuple[int, int, int], bits: int) -> None:
    scale = 1 if bits == 8 else 257
    values = np.where(HOLE[..., None], key, SCENE).astype(np.uint16) * scale
    transparent = chunk(b"tRNS", struct.pack(">3H", *(scale * one for one in key)))
    truth = np.where(HOLE[..., None], 255, SCENE)
    assert error(png(values, 2, bits, [transparent]), truth) == 0


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_grey_key_is_white(bits: int) -> None:
    most = 2**bits - 1
    values = np.rint(grey_scene() / 255 * most).astype(np.uint16)
    values[~HOLE & (values == 0)] = 1
    values[HOLE] = 0
    truth = np.where(HOLE, 255, np.rint(values / most * 255))
    data = png(values, 0, bits, [chunk(b"tRNS", struct.pack(">H", 0))])
    assert error(data, truth) < 0.5


SWAPPED = swapped_profile()


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}),
        ("JPEG", {"quality": 97, "subsampling": 0}),
        ("AVIF", {"quality": 97, "subsampling": "4:4:4"}),
    ],
)  # fmt: skip
def test_a_profile_is_honoured_in_every_format(form: str, options: dict[str, Any]) -> None:
    swapped = Image.fromarray(SCENE[..., ::-1])
    data = saved(swapped, form, icc_profile=SWAPPED, **options)
    assert error(data, SCENE) < 3
    small = decode(data, at_least=40)[0].resize((12, 9))
    truth = Image.fromarray(SCENE).resize((12, 9))
    assert np.abs(np.asarray(small, int) - np.asarray(truth, int)).mean() < 12


def test_colours_are_converted_before_they_lie_over_white() -> None:
    alpha = np.where(HOLE, 0, 255).astype(np.uint8)
    picture = Image.fromarray(np.dstack([SCENE[..., ::-1], alpha]))
    truth = np.where(HOLE[..., None], 255, SCENE)
    assert error(saved(picture, "PNG", icc_profile=SWAPPED), truth) < 2


def test_grey_and_printed_pictures_agree_with_a_colour_management_system() -> None:
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    picture = Image.fromarray(SCENE)
    in_lab = ImageCms.applyTransform(picture, ImageCms.buildTransform(srgb, lab, "RGB", "LAB"))
    assert in_lab is not None
    profile = ImageCms.ImageCmsProfile(lab).tobytes()
    assert error(saved(in_lab, "TIFF", icc_profile=profile), SCENE) < 2


def test_what_cannot_be_a_profile_of_the_picture_is_passed_over() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"nonsense" * 40, SWAPPED[:200], lab, bytes(9 << 20)):
        data = saved(Image.fromarray(SCENE), "TIFF", icc_profile=profile)
        assert error(data, SCENE) == 0
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert error(saved(Image.fromarray(SCENE), "PNG", icc_profile=own), SCENE) == 0


def test_another_decoder_gets_no_picture_with_colours_of_its_own() -> None:
    picture = Image.fromarray(SCENE)
    assert plain_jpeg(saved(picture, "JPEG"), 10**6) is not None
    assert plain_jpeg(saved(picture, "JPEG", icc_profile=SWAPPED), 10**6) is None


def test_many_threads_convert_alike() -> None:
    data = [saved(Image.fromarray(scene(n)), "PNG", icc_profile=SWAPPED) for n in range(4)]
    alone = [np.asarray(decode(one)[0]) for one in data]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: np.asarray(decode(data[n % 4])[0]), range(80)))
    assert all(np.array_equal(one, alone[n % 4]) for n, one in enumerate(found))


def test_large_pictures_do_not_depend_on_pillows_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = Image.new("RGB", (5000, 400), (10, 200, 30))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for form in ("JPEG", "PNG"):
        out = io.BytesIO()
        wide.save(out, form)
        image, size = decode(out.getvalue(), at_least=100)
        assert size == (5000, 400)
        assert image.getpixel((5, 5))[1] > 190  # type: ignore[index]
