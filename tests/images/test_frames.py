"""Animations and documents: a copy shows the same in every frame and on every page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from samples import CHEAP

import vecsearch
from vecsearch import DuplicatesReport, ImageError
from vecsearch.images.decoders.frames import frames, has_frames

SIZE = (160, 120)


def scene(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw coloured shapes on a gradient."""
    generator = np.random.RandomState(seed)
    small = generator.randint(0, 255, (5, 6, 3)).astype(np.uint8)
    picture = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(8):
        x, y, side = (
            generator.randint(size[0]),
            generator.randint(size[1]),
            generator.randint(8, 40),
        )
        draw.rectangle(
            (x, y, x + side, y + side), fill=tuple(generator.randint(0, 255, 3).tolist())
        )
    return picture


def film(form: str, pictures: Sequence[Image.Image], **options: object) -> bytes:
    data = io.BytesIO()
    pictures[0].save(data, form, save_all=True, append_images=list(pictures[1:]), **options)
    return data.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def duplicates_of(folder: Path, files: dict[str, bytes]) -> DuplicatesReport:
    write(folder, files)
    for number in range(3):  # so that there is something else
        scene(900 + number).save(folder / f"other{number}.png")
    index = vecsearch.build(folder, index=folder.parent / f"{folder.name}-ix", encoder=CHEAP).index
    return vecsearch.duplicates(index)


BLACK = Image.new("RGB", SIZE)
COVER = scene(1)
ANIMATED: dict[str, tuple[str, dict[str, object]]] = {
    "gif": ("GIF", {"duration": 80}),
    "webp": ("WEBP", {"duration": 80, "lossless": True}),
    "png": ("PNG", {"duration": 80}),
    "avif": ("AVIF", {"duration": 80}),
}
PAGED: dict[str, tuple[str, dict[str, object]]] = {
    "tif": ("TIFF", {"compression": "tiff_lzw"}),
    "mpo": ("MPO", {"quality": 90}),
}


@pytest.mark.parametrize("first", [BLACK, COVER], ids=["black", "cover"])
@pytest.mark.parametrize("ending", [*ANIMATED, *PAGED])
def test_one_first_frame_makes_no_copies(ending: str, first: Image.Image, tmp_path: Path) -> None:
    form, options = (ANIMATED | PAGED)[ending]
    files = {
        f"{number}.{ending}": film(form, [first, scene(10 + number), scene(20)], **options)
        for number in range(3)
    }
    files[f"shorter.{ending}"] = film(form, [first, scene(10)], **options)
    still = io.BytesIO()
    first.save(still, "PNG")
    files["still.png"] = still.getvalue()
    report = duplicates_of(tmp_path / "films", files)
    assert report.groups == ()


def test_the_same_film_in_another_format_is_a_copy(tmp_path: Path) -> None:
    pictures = [BLACK, *(scene(30 + number) for number in range(4))]
    files = {
        "a.webp": film("WEBP", pictures, duration=80, lossless=True),
        "b.png": film("PNG", pictures, duration=80),
        "slow.png": film("PNG", pictures, duration=240),
    }
    report = duplicates_of(tmp_path / "films", files)
    found = {one.path.name for group in report.groups for one in (group.kept, *group.others)}
    assert found == {"a.webp", "b.png"}


def test_pages_that_are_the_same_are_copies_and_are_moved(tmp_path: Path) -> None:
    pictures = [COVER, scene(41), scene(42)]
    other = [COVER, scene(41), scene(43)]
    files = {
        "a.tif": film("TIFF", pictures, compression="tiff_lzw"),
        "b.tif": film("TIFF", pictures, compression="tiff_deflate"),
        "c.tif": film("TIFF", other, compression="tiff_deflate"),
    }
    report = duplicates_of(tmp_path / "films", files)
    (group,) = report.groups
    assert {group.kept.path.name, *(one.path.name for one in group.others)} == {"a.tif", "b.tif"}
    assert [one.kind for one in group.others] == ["near"]
    assert vecsearch.move_aside(report, tmp_path / "aside").moved == 1


def test_by_a_threshold_films_are_compared_before_they_are_moved(tmp_path: Path) -> None:
    files = {
        f"{number}.gif": film("GIF", [BLACK, scene(50 + number)], duration=80)
        for number in range(2)
    }
    write(tmp_path / "films", files)
    index = vecsearch.build(tmp_path / "films", index=tmp_path / "ix", encoder=CHEAP).index
    report = vecsearch.duplicates(index, threshold=0.99)
    assert report.copies == 1
    for edited in (False, True):
        done = vecsearch.move_aside(report, tmp_path / "aside", edited=edited)
        assert (done.moved, len(done.left)) == (0, 1)
        assert "pixels are not those" in done.left[0].reason


def test_an_icon_and_a_smaller_version_are_one_picture() -> None:
    icon, tiff = io.BytesIO(), io.BytesIO()
    scene(3, (64, 64)).save(icon, "ICO", sizes=[(16, 16), (64, 64)])
    small = scene(3).resize((40, 30))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    scene(3).save(tiff, "TIFF", save_all=True, append_images=[small])
    assert not has_frames(icon.getvalue())
    assert not has_frames(tiff.getvalue())
    assert has_frames(film("TIFF", [scene(3), scene(4)]))


def test_endless_films_are_given_up() -> None:
    """A GIF of 200,000 frames, and one of frames that are large."""
    data = film("GIF", [Image.new("P", (8, 8), 1), scene(1, (8, 8))], duration=20)
    start = data.index(b"\x21\xf9", data.index(b"\x21\xf9") + 4)
    endless = data[:-1] + data[start:-1] * 200_000 + b";"
    assert has_frames(endless)
    with pytest.raises(ImageError, match="too many frames"):
        list(frames(endless, most=50, most_pixels=10**9))
    with pytest.raises(ImageError, match="too many frames"):
        list(frames(endless, most=10**6, most_pixels=64 * 100))
    with pytest.raises(ImageError, match="cannot be decoded"):
        list(frames(data[: start + 20], most=50, most_pixels=10**9))
    assert not has_frames(b"no picture")
