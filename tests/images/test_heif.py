"""HEIC, and files that should be pictures in a format that is not read here."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoded import scene
from PIL import Image, ImageCms
from samples import CHEAP, Run, draw

import vecsearch
from vecsearch import BuildReport, ImageError
from vecsearch.images.decoders import formats
from vecsearch.images.decoders.frames import frames, has_frames
from vecsearch.images.decoders.to_rgb import decode
from vecsearch.search.standard_input import read_piped

pillow_heif = pytest.importorskip("pillow_heif")


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def heic(picture: Image.Image, **options: Any) -> bytes:
    pillow_heif.register_heif_opener()
    data = io.BytesIO()
    picture.save(data, "HEIF", quality=95, **options)
    return data.getvalue()


@pytest.fixture
def picture() -> Image.Image:
    small = Image.fromarray((255 * scene(5)).astype(np.uint8)).resize((6, 5))
    return small.resize((120, 90), Image.Resampling.BICUBIC)  # little is lost by encoding it


@pytest.fixture
def without_heif(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine where nothing reads HEIC."""
    formats.has_package.cache_clear()
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    yield
    formats.has_package.cache_clear()


def error(data: bytes, truth: Image.Image) -> float:
    got = np.asarray(decode(data)[0], float)
    assert got.shape == np.asarray(truth).shape
    return float(np.abs(got - np.asarray(truth.convert("RGB"), float)).mean())


def test_a_heic_is_a_picture(picture: Image.Image) -> None:
    assert error(heic(picture), picture) < 3


def test_its_orientation_is_applied_once(picture: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = picture.transpose(Image.Transpose.ROTATE_270)
    picture.info["exif"] = exif.tobytes()
    data = heic(picture)
    assert (
        b"irot" in data
    )  # the container's own turn is what counts, beside which EXIF tells it too
    assert error(data, turned) < 3


def test_its_profile_is_honoured(picture: Image.Image) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # A screen whose red and blue are the other way round.
    place = srgb.index(b"rXYZ"), srgb.index(b"bXYZ")
    swapped = bytearray(srgb)
    for one, other in (place, place[::-1]):
        swapped[one : one + 4] = srgb[other : other + 4]
    turned = Image.merge("RGB", picture.split()[::-1])
    assert error(heic(picture, icc_profile=srgb), picture) < 3
    assert error(heic(picture, icc_profile=bytes(swapped)), turned) < 4


def test_alpha_is_laid_over_white(picture: Image.Image) -> None:
    clear = picture.copy()
    clear.putalpha(Image.new("L", picture.size, 0))
    assert error(heic(clear), Image.new("RGB", picture.size, "white")) < 2


def test_too_large_a_one_is_refused_before_it_is_decoded() -> None:
    data = heic(Image.new("RGB", (1200, 1000)))
    with pytest.raises(ImageError, match=r"has 1.2 megapixels, 0.8 are the limit"):
        decode(data, max_pixels=10**6)
    decode(data, max_pixels=15 * 10**5)


def test_a_burst_has_frames(picture: Image.Image) -> None:
    others = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), picture.rotate(180)]
    data = heic(picture, save_all=True, append_images=others)
    assert has_frames(data)
    assert len(list(frames(data, most=9, most_pixels=10**7))) == 3
    assert not has_frames(heic(picture))


def test_frames_that_say_they_are_huge_take_no_memory(
    picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_memory(*_: object) -> None:
        raise AssertionError("went to a frame, which makes room for its pixels")

    data = heic(picture, save_all=True, append_images=[picture.rotate(180).resize((64, 64))])
    place = data.rindex(b"ispe") + 12
    huge = data[:place] + (1_560_281_152).to_bytes(4, "big") + data[place + 4 :]
    monkeypatch.setattr("pillow_heif.as_plugin.HeifImageFile.seek", take_memory)
    assert has_frames(huge)
    with pytest.raises(ImageError, match="too many frames"):
        list(frames(huge, most=9, most_pixels=10**7))


@pytest.mark.parametrize("cut", [12, 40, 200, -300])
def test_a_damaged_one_is_an_error_of_one_line(picture: Image.Image, cut: int) -> None:
    with pytest.raises(ImageError) as caught:
        decode(heic(picture)[:cut])
    assert "\n" not in str(caught.value)


def test_it_is_indexed_found_and_drawn(picture: Image.Image, photos: Path, tmp_path: Path) -> None:
    (photos / "IMG_1.HEIC").write_bytes(heic(picture))
    picture.save(tmp_path / "same.png")
    index = vecsearch.build(photos, index=tmp_path / "index", encoder=CHEAP).index
    with vecsearch.open_index(index) as opened:
        (hit,) = opened.query(tmp_path / "same.png", k=1)[0].hits
    assert (hit.path.name, hit.score > 0.99) == ("IMG_1.HEIC", True)


Make = Callable[[], Path]


def left_out(index: Path) -> dict[str, int]:
    with vecsearch.open_index(index) as opened:
        return dict(opened.info().left_out)


def test_what_is_left_out_is_counted(
    photos: Path, tmp_path: Path, run: Run, without_heif: None
) -> None:
    def update() -> BuildReport:
        return vecsearch.build(photos, tmp_path / "t.tar", index=tmp_path / "index", encoder=CHEAP)

    for name in ("a.HEIC", "more/b.heic", "c.CR2", "notes.txt", ".hidden.heic"):
        (photos / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        tar.add(draw(tmp_path / "x.png", 1), "x.png")
        tar.add(photos / "a.HEIC", "a.HEIC")
    report = update()
    assert report.left_out == {".heic": 3, ".cr2": 1}
    assert left_out(report.index) == {".heic": 3, ".cr2": 1}
    (photos / "c.CR2").unlink()
    (photos / "a.HEIC").unlink()
    assert update().left_out == {".heic": 1}  # of the tar, nothing was looked at
    assert left_out(report.index) == {".heic": 2}
    info = run("info", "-i", "index").stdout
    assert "left out: 2 .heic (pip install 'vecsearch[heif]' reads them)" in info
    (photos / "more" / "b.heic").unlink()
    update()
    assert left_out(report.index) == {".heic": 1}


def test_a_heic_of_another_name_is_said_to_be_one(
    picture: Image.Image, index: Path, tmp_path: Path, without_heif: None
) -> None:
    (tmp_path / "h.jpg").write_bytes(heic(picture))
    assert len(read_piped(heic(picture), null=False)) == 1  # and no list
    told = r"h\.jpg.* is HEIC, .* pip install 'vecsearch\[heif\]'"
    with vecsearch.open_index(index) as opened, pytest.raises(ImageError, match=told):
        opened.query(tmp_path / "h.jpg")


def test_an_index_keeps_what_only_another_machine_reads(
    picture: Image.Image, photos: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (photos / "IMG_1.HEIC").write_bytes(heic(picture))
    index = vecsearch.build(photos, index=tmp_path / "index", encoder=CHEAP).index
    request.getfixturevalue("without_heif")
    (photos / "p1.png").unlink()
    counts = vecsearch.build(index=index, encoder=CHEAP).counts
    assert (counts.removed, counts.unchanged) == (1, 11)
    with vecsearch.open_index(index) as opened:
        assert any(image.path.suffix == ".HEIC" for image in opened)


def test_a_heic_is_found_once_it_can_be_read(
    picture: Image.Image, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar_file = tmp_path / "t.tar"
    (tmp_path / "h.heic").write_bytes(heic(picture))
    with tarfile.open(tar_file, "w") as tar:
        tar.add(photos / "p1.png", "p1.png")
        tar.add(tmp_path / "h.heic", "h.heic")
    shutil.copy(tmp_path / "h.heic", photos)
    with monkeypatch.context() as patch:
        patch.setattr(formats, "has_package", lambda _: False)
        report = vecsearch.build(photos, tar_file, index=tmp_path / "index", encoder=CHEAP)
        assert (report.counts.added, report.left_out) == (13, {".heic": 2})
    import vecsearch.images.sources.tar as tars

    tars._kept.clear()
    report = vecsearch.build(index=report.index, encoder=CHEAP)
    assert (report.counts.added, report.left_out) == (2, {})
    assert left_out(report.index) == {}
