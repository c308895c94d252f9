"""Copies that pixels tell: what an edit leaves of a picture, and pictures that only look alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageOps
from samples import SAMPLES, Run
from sklearn.datasets import load_sample_images

import vecsearch
from vecsearch import DuplicatesReport, EncoderConfig

PACKAGED = EncoderConfig(model="efficientnet-lite0", precision="fp32", engine="openvino")
NEAR = {"encoded.jpg", "half.png", "tenth.png"}
EDITED = {"mirrored.png", "grey.png", "cropped.png", "brighter.png", "framed.png"}


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs, eight edits of the first, and seven burgers that no two are copies."""
    folder = tmp_path_factory.mktemp("copies") / "photos"
    folder.mkdir()
    china, flower = (Image.fromarray(photo) for photo in load_sample_images().images)
    width, height = china.size
    china.save(folder / "china.bmp")  # of as many pixels, the largest file is kept
    flower.save(folder / "flower.png")
    china.save(folder / "encoded.jpg", quality=30)
    china.resize((width // 2, height // 2)).save(folder / "half.png")
    china.resize((width // 10, height // 10)).save(folder / "tenth.png")
    ImageOps.mirror(china).save(folder / "mirrored.png")
    ImageOps.grayscale(china).save(folder / "grey.png")
    china.crop((30, 60, width - 90, height - 20)).save(folder / "cropped.png")
    ImageEnhance.Brightness(china).enhance(1.2).save(folder / "brighter.png")
    small = china.resize((width * 4 // 5, height * 4 // 5))  # so that the photograph is kept
    ImageOps.expand(small, 20, "navy").save(folder / "framed.png")
    for path in sorted(SAMPLES.glob("burger*.jpg")):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="module")
def index(photos: Path) -> Path:
    return vecsearch.build(photos, index=photos.parent / "index", encoder=PACKAGED).index


def kinds_of(report: DuplicatesReport) -> dict[str, str]:
    (group,) = report.groups
    assert group.kept.path.name == "china.bmp"
    return {one.path.name: one.kind for one in group.others}


def test_every_edit_is_found_and_nothing_that_is_only_alike(index: Path) -> None:
    report = vecsearch.duplicates(index)
    found = kinds_of(report)
    assert found.keys() == NEAR | EDITED
    assert {found[name] for name in ("mirrored.png", "cropped.png", "framed.png")} == {"edited"}
    assert {found[name] for name in ("encoded.jpg", "half.png")} == {"near"}
    assert report.by == "pixels"
    assert (report.looked_at, report.copies) == (17, 8)


def test_near_ones_alone_are_moved_away_by_itself(
    index: Path, photos: Path, tmp_path: Path, run: Run
) -> None:
    near = {name for name, kind in kinds_of(vecsearch.duplicates(index, edited=False)).items()}
    assert {"encoded.jpg", "half.png"} <= near <= NEAR | {"brighter.png", "grey.png"}
    done = json.loads(run("duplicates", "-i", index, "--move-to", "aside", "--json").stdout)
    assert done["aside"]["moved"] == len(near)
    assert {path.name for path in (tmp_path / "aside").rglob("*.*")} >= near
    assert (photos / "mirrored.png").exists()
    run("duplicates", "-i", index, "--undo", "aside")
    assert (photos / "half.png").exists()


def test_a_threshold_is_about_cosines_and_reads_no_picture(index: Path) -> None:
    report = vecsearch.duplicates(index, threshold=0.95)
    assert (report.by, report.looked_at, report.pairs) == ("cosine", 0, 0)
    assert {one.kind for group in report.groups for one in group.others} == {"similar"}
    # Burgers are alike for the network, which is why it is not asked alone.
    alike = vecsearch.duplicates(index, threshold=0.75)
    assert any("burger" in one.path.name for group in alike.groups for one in group.others)


def test_what_cannot_be_looked_at_is_told_by_the_measured_cosine(index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
    assert len(images) == len(vectors) == 17
    report = vecsearch.duplicates(index)
    assert report.measured
    assert report.threshold == pytest.approx(0.84)


def test_pictures_that_show_nothing_are_not_moved_for_their_features_alone(
    tmp_path: Path, run: Run
) -> None:
    """Blank pages with a mark each: there is nothing to compare, and features are near."""
    for number in range(4):
        page = Image.new("RGB", (400, 300), "white")
        page.paste("black", (40 + 60 * number, 150, 43 + 60 * number, 153))
        (tmp_path / "pages").mkdir(exist_ok=True)
        page.save(tmp_path / "pages" / f"{number}.png")
    index = vecsearch.build(tmp_path / "pages", index=tmp_path / "ix", encoder=PACKAGED).index
    report = vecsearch.duplicates(index)
    assert report.looked_at == 0
    assert {one.kind for group in report.groups for one in group.others} == {"similar"}
    run("duplicates", "-i", index, "--move-to", "aside")
    assert len(list((tmp_path / "pages").iterdir())) == 4
