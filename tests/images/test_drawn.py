"""What vecsearch drew is no picture of a collection, whatever it is called and wherever it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from samples import CHEAP, Run

import vecsearch

FORMS = [".png", ".jpg", ".webp", ".tif", ".gif", ".avif", ".jp2"]


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def test_commands_can_be_given_again_in_the_folder_of_the_pictures(photos: Path, run: Run) -> None:
    cheap = ["--layer", "block1_conv1", "--weights", "random:0", "--precision", "fp32"]
    for again in range(2):
        done = run("build", photos, "-i", "index", *cheap)
        assert "index: 12 images" in done.stdout
        assert ("skipped" in done.stdout) == bool(again)
        run("viz", "-i", "index", "-o", photos / "tsne.png")
        run("recommend", "-i", "index", "-o", photos / "output", "-k", "2")
        run("query", "id:1", "-i", "index", "--sheet", photos / "hits.png")
    skipped = [
        line for line in run("info", "-i", "index").stdout.splitlines() if "drawn by" in line
    ]
    assert len(skipped) == 14
    assert skipped[0].strip() == "photos/hits.png: is a sheet or map drawn by vecsearch"


@pytest.mark.parametrize("ending", FORMS)
def test_a_sheet_is_told_from_a_picture_by_its_metadata(
    index: Path, photos: Path, tmp_path: Path, ending: str
) -> None:
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
    drawn = tmp_path / f"map{ending}"
    vecsearch.draw_map(vecsearch.map_collection(vectors, images), drawn)
    renamed = Path(shutil.copy(drawn, photos / f"holiday{ending}"))
    report = vecsearch.build(index=index, encoder=CHEAP)
    assert (report.counts.added, report.counts.skipped) == (0, 1)
    with vecsearch.open_index(index) as opened:  # as a question it is a picture like any other
        assert opened.query(renamed, k=1)[0].hits
    with Image.open(renamed) as image:
        image.convert("RGB").save(photos / "saved-anew.png")
    assert vecsearch.build(index=index, encoder=CHEAP).counts.added == 1
