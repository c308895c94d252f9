"""Bytes -> RGB: every kind of picture that people have, and what is refused."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL import ImageFile as PillowFile
from samples import SAMPLES

from vecsearch.errors import ImageError, UsageError
from vecsearch.images.decoders.decoder import decoder_of, decoders
from vecsearch.images.decoders.formats import FORMATS, has_picture_name, left_out_ending
from vecsearch.images.decoders.to_rgb import OVERSAMPLING, decode, preprocess
from vecsearch.images.reader import WINDOW, ReadImage, in_threads, read_image, read_images
from vecsearch.images.sources.source import NO_TIME
from vecsearch.types import ImageFile


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def ramp(mode: str = "RGB") -> Image.Image:
    """A 40 x 30 picture, dark to light from left to right, red below."""
    values = np.zeros((30, 40, 3), np.uint8)
    values[:, :, :] = np.linspace(0, 255, 40, dtype=np.uint8)[None, :, None]
    values[20:, :, 1:] = 0
    return Image.fromarray(values).convert(mode)


@pytest.mark.parametrize(
    ("form", "mode"),
    [
        *(("PNG", mode) for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16")),
        *(("TIFF", mode) for mode in ("L", "RGB", "CMYK", "F", "I;16", "LAB")),
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        ("GIF", "P"), ("BMP", "RGB"), ("WEBP", "RGB"), ("PPM", "RGB"), ("TGA", "RGB"),
        ("AVIF", "RGB"), ("JPEG2000", "RGB"), ("ICO", "RGBA"), ("QOI", "RGB"), ("PCX", "P"),
    ],
)  # fmt: skip
def test_formats_and_modes_become_rgb(form: str, mode: str) -> None:
    source = ramp("L" if mode in ("F", "I;16") else "RGB")
    if mode == "F":
        source = Image.fromarray(np.asarray(source, np.float32) / 255)
    elif mode == "I;16":
        source = Image.fromarray(np.asarray(source, np.uint16) * 257)
    elif mode == "LAB":
        from PIL import ImageCms

        transform = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        source = ImageCms.applyTransform(source, transform) or source
    else:
        source = source.convert(mode)
    image, size = decode(saved(source, form))
    assert (image.mode, size) == ("RGB", source.size if form != "ICO" else image.size)
    pixels = np.asarray(image.convert("L"), np.float64)
    columns = pixels[: pixels.shape[0] // 2].mean(axis=0)
    quarter = len(columns) // 4
    assert columns[:quarter].mean() < 70
    assert columns[-quarter:].mean() > 185


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [
        (1, (0, 0)), (2, (0, -1)), (3, (-1, -1)), (4, (-1, 0)),
        (5, (0, 0)), (6, (0, -1)), (7, (-1, -1)), (8, (-1, 0)),
    ],
)  # fmt: skip
def test_exif_orientation_is_applied(orientation: int, corner: tuple[int, int]) -> None:
    """A corner that is stored at the top left goes where EXIF says; sides are exchanged from 5."""
    picture = Image.new("L", (64, 32))
    picture.paste(255, (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image, size = decode(saved(picture, "JPEG", exif=exif, quality=95))
    assert image.size == size == ((64, 32) if orientation < 5 else (32, 64))
    upright = np.asarray(image.convert("L"))
    corners = {(down, across): upright[down, across] for down in (0, -1) for across in (0, -1)}
    assert [place for place, grey in corners.items() if grey > 200] == [corner]


def test_transparency_lies_over_white() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert np.asarray(decode(saved(clear, "PNG"))[0]).min() == 255
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert np.asarray(decode(saved(half, "PNG"))[0]).mean() == pytest.approx(127, abs=1)
    palette = Image.new("P", (8, 8), 0)
    assert np.asarray(decode(saved(palette, "PNG", transparency=0))[0]).min() == 255


def test_sixteen_bits_and_floats_are_scaled_and_not_clipped() -> None:
    grey = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8)
    found = np.asarray(decode(saved(Image.fromarray(grey), "PNG"))[0])[..., 0]
    np.testing.assert_allclose(found, grey / 257, atol=1)
    wild = np.linspace(-3e6, 7e6, 64, dtype=np.float32).reshape(8, 8)
    wild[0, 0] = np.nan
    found = np.asarray(decode(saved(Image.fromarray(wild), "TIFF"))[0])[..., 0]
    assert found[0, 1] < 10
    assert found[-1, -1] == 255


def test_negative_values_are_not_all_black() -> None:
    values = np.repeat(np.linspace(-100, 100, 41, dtype=np.float32)[None], 30, axis=0)
    picture, _ = decode(saved(Image.fromarray(values), "TIFF"))
    line = np.asarray(picture)[0, :, 0]
    assert (line[0], line[-1]) == (0, 255)
    assert 120 <= line[20] <= 135
    assert (np.diff(line.astype(int)) > 0).all()


def test_values_that_are_no_numbers_are_black() -> None:
    values = np.repeat(np.linspace(0.2, 1, 40, dtype=np.float32)[None], 30, axis=0)
    values[3, 30] = np.nan
    picture = np.asarray(decode(saved(Image.fromarray(values), "TIFF"))[0])
    assert picture[3, 30].tolist() == [0, 0, 0]
    assert picture[4, 30].min() > 150


def test_a_box_may_end_where_the_picture_does() -> None:
    picture, size = decode(saved(ramp(), "PNG"), box=(25, 10, 15, 20))
    assert (picture.size, size) == ((15, 20), (40, 30))
    for box in ((26, 10, 15, 20), (25, 11, 15, 20)):
        with pytest.raises(UsageError, match="is not within the picture"):
            decode(saved(ramp(), "PNG"), box=box)


def test_a_part_of_a_jpeg_is_decoded_at_the_size_that_is_asked_for() -> None:
    """At half the size 99.5 pixels would be left of 199."""
    data = saved(Image.new("RGB", (300, 300), "red"), "JPEG")
    for side, left in ((199, 199), (200, 100)):
        picture, _ = decode(data, at_least=100, box=(0, 0, side, side))
        assert picture.size == (left, left)


def test_a_listing_tells_the_time_that_reading_does_not() -> None:
    file = ImageFile(Path("a.png"), 1, NO_TIME, bytes(16), 4, 3)
    assert ReadImage(file).timed(7).file.mtime_ns == 7
    assert ReadImage(replace(file, mtime_ns=5)).timed(7).file.mtime_ns == 5


def test_a_picture_for_which_memory_was_short_is_tried_again(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", short)
    (outcome,) = read_images([(1, photos / "p1.png")], 32)
    assert (outcome.image, outcome.settled) == (None, False)
    assert outcome.reason == "cannot be decoded: not enough memory"


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert tuple(np.asarray(decode(data)[0])[0, 0]) == (255, 0, 0)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "the file is empty"),
        (lambda data: b"not a picture at all", "not a picture in a format known here"),
        (lambda data: data[: len(data) // 2], "cannot be decoded: "),
        (lambda data: data[:40] + bytes(200) + data[240:], "cannot be decoded: "),
    ],
)
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_damage_is_an_error_with_a_reason_in_one_line(
    form: str, damage: Callable[[bytes], bytes], reason: str
) -> None:
    noise = np.random.RandomState(0).randint(0, 255, (64, 64, 3)).astype(np.uint8)
    data = damage(saved(Image.fromarray(noise), form))
    with pytest.raises(ImageError) as caught:
        decode(data)
    assert str(caught.value).startswith((reason, "not a picture"))
    assert "\n" not in str(caught.value)


def test_a_postscript_file_is_not_even_tried() -> None:
    with pytest.raises(ImageError, match="not a picture in a format known here"):
        decode(saved(ramp(), "EPS"))


def test_a_large_jpeg_is_decoded_small_with_nearly_the_same_pixels() -> None:
    with Image.open(SAMPLES / "salad1.jpg") as picture:
        data = saved(picture.resize((3200, 2400), Image.Resampling.BICUBIC), "JPEG", quality=92)
    small, size = decode(data, at_least=OVERSAMPLING * 224)
    full, _ = decode(data)
    assert (small.size, size) == ((1600, 1200), (3200, 2400))
    difference = preprocess(small, 224).astype(int) - preprocess(full, 224)
    assert np.abs(difference).mean() < 1.0


def test_reading_gives_every_file_exactly_once_and_reasons_for_the_bad(photos: Path) -> None:
    (photos / "bad.png").write_bytes(b"nothing")
    paths = [*sorted(photos.rglob("*.[pj][np]g")), photos / "gone.png"]
    outcomes = {one.tag: one for one in read_images(enumerate(paths), 224, threads=3)}
    assert sorted(outcomes) == list(range(len(paths)))
    for tag, path in enumerate(paths):
        image = outcomes[tag].image
        if path.name in ("bad.png", "gone.png"):
            assert image is None
            assert "\n" not in outcomes[tag].reason
        else:
            assert image is not None
            assert image.pixels is not None
            alone = read_image(path, 224)
            assert alone.pixels is not None
            np.testing.assert_array_equal(image.pixels, alone.pixels)
            assert (image.file.width, image.file.height) == (64, 48)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_bands_make_no_difference(form: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if (form, mode) in (("PNG", "CMYK"), ("PNG", "F")):
        return
    values = np.random.RandomState(0).randint(0, 256, (37, 53, 4)).astype(np.uint8)
    source = Image.fromarray(values)
    if mode in ("I;16", "F"):
        source = Image.fromarray(values[..., 0].astype(np.uint16 if mode == "I;16" else np.float32))
    elif mode == "P":
        source = source.convert("RGB").quantize(16)
    else:
        source = source.convert(mode)
    options = {"transparency": 3} if (form, mode) == ("PNG", "P") else {}
    data = saved(source, form, **options)
    whole = np.asarray(decode(data)[0])
    monkeypatch.setattr("vecsearch.images.decoders.to_rgb._BAND_PIXELS", 100)
    np.testing.assert_array_equal(np.asarray(decode(data)[0]), whole)


def test_what_a_decoder_holds_several_times_may_be_half_as_large() -> None:
    data = saved(ramp(), "WEBP")
    with pytest.raises(ImageError, match=r"has 0\.0012 megapixels, 0\.001 are"):
        decode(data, max_pixels=2000)
    assert decode(data, max_pixels=2400)[1] == (40, 30)


def test_a_damaged_file_leaves_stderr_alone(capfd: pytest.CaptureFixture[str]) -> None:
    data = saved(ramp(), "TIFF", compression="tiff_adobe_deflate")
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode(data[:8] + bytes(40) + data[48:])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("side", "together"), [(2000, 2), (3000, 1)])
def test_large_pictures_are_decoded_one_at_a_time(
    side: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = saved(Image.new("1", (side, side)), "PNG")
    loading, most, second = 0, 0, threading.Event()
    counting = threading.Lock()

    def load(_: PillowFile.ImageFile) -> None:
        nonlocal loading, most
        with counting:
            loading += 1
            most = max(most, loading)
            if loading == 2:
                second.set()
        second.wait(0.5 if together == 1 else 30)
        with counting:
            loading -= 1
        raise ValueError("seen enough")

    monkeypatch.setattr(PillowFile.ImageFile, "load", load)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)

    def refused(_: int) -> bool:
        with pytest.raises(ImageError, match="seen enough"):
            decode(data)
        return True

    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(refused, range(2)))
    assert most == together


def test_no_more_is_read_ahead_than_fits_the_window() -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in range(4 * WINDOW):
            taken += 1
            yield number

    given = 0
    for _ in in_threads(numbers(), lambda number: number, 2):
        given += 1
        assert taken <= given + WINDOW
    assert given == taken == 4 * WINDOW


def test_each_format_is_read_by_the_decoder_in_its_row() -> None:
    endings = [ending for form in FORMATS for ending in form.endings.split()]
    assert len(set(endings)) == len(endings)
    assert len(decoders()) == len({form.decoder for form in FORMATS})
    for ending in endings:
        name = f"A{ending.upper()}".encode()
        assert has_picture_name(name) != bool(left_out_ending(name))
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    assert [type(decoder_of(data)).__name__ for data in (heic, b"", b"P6")] == [
        *("HeifDecoder", "PillowDecoder", "PillowDecoder")
    ]
