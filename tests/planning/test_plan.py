"""What ``plan`` foretells, against what is built."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
import pytest
from samples import CHEAP, Run
from synthetic import draw_vectors, make_index

import vecsearch
from vecsearch import EncoderConfig, PlanOptions, PlanReport, SourceError, UsageError
from vecsearch.ann import recipes
from vecsearch.ann.base import make_base, write_base
from vecsearch.ann.recipes import FLAT
from vecsearch.cli.units import written_time
from vecsearch.planning import base_speed, calibrate
from vecsearch.planning.base_size import size_of
from vecsearch.planning.base_speed import built_in, measure_base, measure_exact, query_ms
from vecsearch.wording import written_size

FP32 = EncoderConfig(precision="fp32", engine="openvino")
KINDS = (
    *("IVF64,PQ16x4fs", "PCA32,IVF64,SQ8", "RR32,IVF32,RaBitQfs", "HNSW16,SQ8", "PQ16x4fs"),
    *("IVF32_HNSW16,PQ16x4fs", "IVF32,PQ16x4fs,Refine(SQfp16)", FLAT),
)


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Choose a recipe for large numbers, measure little, and by one thread."""
    monkeypatch.setattr(recipes, "_ann_factory", lambda rows, dim: f"IVF{rows >> 12},PQ32x4fs")
    monkeypatch.setattr(calibrate, "EMBEDDED_S", 0.3)
    monkeypatch.setattr(base_speed, "_MEASURED_S", 0.02)
    monkeypatch.setattr(base_speed, "_EXACT_BYTES", 4 << 20)
    monkeypatch.setattr(base_speed, "_ROWS", 2000)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


def planned(
    images: int,
    *,
    dim: int | None = None,
    recipe: str = "auto",
    memory: float | None = None,
    latency: float | None = None,
) -> PlanReport:
    """Plan without measuring."""
    options = PlanOptions(recipe=recipe, memory_bytes=memory, latency_ms=latency, calibrate=False)
    config = EncoderConfig(precision="fp32", engine="openvino", dim=dim)
    return vecsearch.plan(images=images, encoder=config, options=options)


def test_few_images_are_searched_exactly() -> None:
    report = planned(100_000)
    (base,) = report.bases
    assert (base.recipe, base.exact, base.count, base.rows) == (FLAT, True, 1, 100_000)
    assert base.reason == "exact search takes about 5.1 ms a query"
    assert report.latency_ms == pytest.approx(5.12)
    assert (report.recipe_option, report.calibrated) == ("", False)
    assert report.segments_bytes == 100_000 * (1024 + 4)
    assert report.query_cache_bytes == report.bases_bytes >= 100_000 * 1024
    assert report.disk_bytes > report.segments_bytes + report.bases_bytes
    assert report.peak_bytes >= report.disk_bytes + report.segments_bytes


def test_many_are_searched_approximately_in_several_segments() -> None:
    report = planned(5_000_000)
    assert [(base.count, base.rows) for base in report.bases] == [(2, 2 << 20), (1, 805_696)]
    assert [base.recipe for base in report.bases] == ["IVF512,PQ32x4fs", "IVF196,PQ32x4fs"]
    assert all("exact search would take about" in base.reason for base in report.bases)
    assert report.recipe_option == ""
    assert report.latency_ms < 50
    assert report.bases_bytes < report.segments_bytes / 10
    once = planned(2 << 20)
    assert report.bases[0].size_bytes == 2 * once.bases_bytes
    assert report.embedding_seconds == pytest.approx(once.embedding_seconds * 5e6 / (2 << 20))


def test_budgets_choose_the_recipe() -> None:
    assert planned(300_000).bases[0].exact
    quick = planned(300_000, latency=5)
    assert quick.bases[0].recipe == quick.recipe_option == "IVF73,PQ32x4fs"
    assert quick.bases[0].reason == "exact search does not fit the budget"
    small = planned(300_000, memory=270e6)
    assert small.bases[0].recipe == "IVF73,PQ32x4fs"
    assert small.query_memory_bytes + small.query_cache_bytes <= 270e6
    patient = planned(1_000_000, latency=100)
    assert patient.bases[0].exact
    assert patient.recipe_option == FLAT
    told = planned(1_000_000, recipe="HNSW32,SQ8")
    assert told.bases[0].reason == "asked for"
    assert told.recipe_option == "HNSW32,SQ8"
    assert planned(1_000_000, latency=100, memory=1e9).recipe_option == ""


@pytest.mark.parametrize(
    ("images", "recipe", "memory", "latency", "shorter"),
    [
        (10_000_000, "auto", 4e8, None, False),
        (10_000_000, FLAT, 4e9, 100.0, True),
        (2_000_000, FLAT, None, 20.0, True),
        (3_000_000, "PCA64,IVF256,PQ32x4fs", 2e8, None, False),
        (1000, "auto", 1e8, None, False),
    ],
)
def test_what_does_not_fit_is_refused_with_a_way_out(
    images: int, recipe: str, memory: float | None, latency: float | None, shorter: bool
) -> None:
    with pytest.raises(UsageError, match="nothing fits") as caught:
        planned(images, recipe=recipe, memory=memory, latency=latency)
    text = str(caught.value)
    assert f"{images} images of 512 dimensions" in text
    if found := re.search(r"--memory ([0-9.]+)G", text):
        memory = 1e9 * float(found[1])
    if found := re.search(r"--latency ([0-9]+)ms", text):
        latency = float(found[1])
    planned(images, recipe=recipe, memory=memory, latency=latency)
    found = re.search(r"--dim ([0-9]+)", text)
    assert (found is not None) is shorter  # codes and the process itself do not shrink
    if found:
        planned(images, recipe=recipe, memory=memory, latency=latency, dim=int(found[1]))


@pytest.mark.parametrize("factory", KINDS)
def test_sizes_are_those_of_a_base_that_is_made(
    factory: str, capfd: pytest.CaptureFixture[str]
) -> None:
    size = size_of(factory, 64)
    assert capfd.readouterr().err == ""
    base = make_base(draw_vectors(6000, 64, 0).astype(np.float16), factory)
    written: list[int] = []
    write_base(base, lambda data: written.append(len(data)))
    assert size.total_bytes(6000) == pytest.approx(sum(written), rel=0.08)


def test_asking_for_a_size_is_quick_and_silent(capfd: pytest.CaptureFixture[str]) -> None:
    for factory in ("OPQ8_32,IVF32,PQ8", "IVF512,PQ16"):
        assert size_of(factory, 64).cells
    assert capfd.readouterr().err == ""


def test_the_disk_is_what_an_index_takes(tmp_path: Path) -> None:
    for recipe in (FLAT, "PCA32,IVF32,PQ16x4fs"):
        folder = make_index(tmp_path / recipe, draw_vectors(4000, 64, 0), recipe)
        report = vecsearch.plan(
            images=4000, encoder=CHEAP, options=PlanOptions(recipe=recipe, calibrate=False)
        )
        taken = {
            part: sum(path.stat().st_size for path in (folder / part).iterdir())
            for part in ("vectors", "ann")
        }
        assert report.segments_bytes == taken["vectors"]
        assert report.bases_bytes == pytest.approx(taken["ann"], rel=0.05)
        catalog = (folder / "catalog.sqlite").stat().st_size
        assert catalog / 1.5 < report.catalog_bytes < 1.6 * catalog  # paths are shorter here


def test_a_folder_is_counted_and_its_network_weighed(photos: Path, index: Path) -> None:
    (photos / "notes.txt").write_text("no picture")
    options = PlanOptions(calibrate=False)
    report = vecsearch.plan(photos, encoder=CHEAP, options=options)
    assert (report.images, report.dim, report.layer) == (12, 64, "block1_conv1")
    network = sum(path.stat().st_size for path in (index / "encoder").glob("*.bin"))
    assert report.encoder_bytes == pytest.approx(network, rel=0.02)
    lengths = [len(os.fsencode(path)) for path in photos.rglob("p*")]
    assert report.catalog_bytes == round(12 * 160 + 2.2 * sum(lengths))
    smaller = vecsearch.plan(
        photos, encoder=EncoderConfig(layer="block1_conv1", dim=8), options=options
    )
    assert (smaller.dim, smaller.feature_dim) == (8, 64)
    ratio = smaller.embedding_seconds * smaller.pictures_per_second / 12
    assert ratio == pytest.approx(2)  # all of them for the PCA first
    assert report.pictures_per_second > 2 * 4.6  # of the default layer, in fp32


@pytest.mark.parametrize("factory", ["IVF64,PQ16x4fs", "PCA32,IVF64,SQ8", "HNSW16,SQ8", "SQ8"])
def test_measured_figures_make_sense(factory: str, capfd: pytest.CaptureFixture[str]) -> None:
    exact = measure_exact(64)
    rates = measure_base(factory, 64, 100_000, exact)
    assert capfd.readouterr().err == ""
    for one in (rates, built_in(size_of(factory, 64), 64)):
        times = [query_ms(factory, 64, rows, one) for rows in (10_000, 100_000, 1_000_000)]
        assert 0 < times[0] <= times[1] <= times[2] < 10_000
        seconds = [
            base_speed.indexing_seconds(factory, 64, rows, one) for rows in (100_000, 1_000_000)
        ]
        assert 0 < seconds[0] < seconds[1]
        assert math.isfinite(seconds[1])


def test_this_machine_is_measured(photos: Path) -> None:
    phases = []
    report = vecsearch.plan(
        photos, encoder=CHEAP, progress=lambda phase, done, total: phases.append(phase)
    )
    assert report.calibrated
    assert report.pictures_per_second > 0
    assert report.embedding_seconds == pytest.approx(12 / report.pictures_per_second)
    assert {"measuring exact search", "measuring the network"} <= set(phases)
    without = vecsearch.plan(
        images=50_000, encoder=CHEAP, options=PlanOptions(recipe="IVF64,PQ16x4fs")
    )
    assert without.latency_ms > 0
    assert without.indexing_seconds > 0


def test_the_table_and_the_json(run: Run, photos: Path) -> None:
    done = run("plan", "--images", "200000", "--no-calibrate", "--precision", "fp32")
    assert done.stderr == ""
    assert "images        200,000" in done.stdout
    assert "built-in figures, not of this machine" in done.stdout
    assert "FAISS: SQfp16 over 200,000 rows, exact: exact search takes about" in done.stdout
    command = ("plan", "photos", "--no-calibrate", "--memory", "4GiB", "--latency", "0.5s")
    facts = json.loads(run(*command, "--json").stdout)
    assert facts["images"] == 12
    assert facts["bases"][0]["recipe"] == FLAT
    (photos.parent / "empty").mkdir()
    refused = run("plan", "empty", "--no-calibrate", code=1)
    assert refused.stderr.startswith("vecsearch: no images in")
    assert refused.stderr.count("\n") == 1
    assert "write a size as 512M, 4G or 4GiB" in run("plan", "--memory", "4X", code=2).stderr
    assert "write a time as 20ms or 0.5s" in run("plan", "--latency", "20", code=2).stderr


def test_bad_input_is_refused(photos: Path) -> None:
    with pytest.raises(UsageError, match="nothing to plan for; give a folder"):
        vecsearch.plan()
    with pytest.raises(UsageError, match="both given"):
        vecsearch.plan(photos, images=5)
    with pytest.raises(UsageError, match="--images is 0"):
        planned(0)
    with pytest.raises(UsageError, match="--memory is 0"):
        planned(5, memory=0)
    with pytest.raises(UsageError, match="latency_ms is nan"):
        planned(5, latency=math.nan)
    with pytest.raises(UsageError, match="--dim 600 is too large"):
        planned(5000, dim=600)
    with pytest.raises(UsageError, match="FAISS cannot make --recipe nonsense"):
        planned(5, recipe="nonsense")
    with pytest.raises(UsageError, match=r"cannot make --recipe PCA64,.* for 32 dimensions"):
        planned(50_000, dim=32, recipe="PCA64,IVF64,SQ8")
    with pytest.raises(SourceError, match="no such folder"):
        vecsearch.plan(photos / "nope", encoder=FP32)


def test_sizes_and_times_are_written_short() -> None:
    assert [written_size(n) for n in (0, 999, 1000, 1.5e6, 12_345_678_901, 3e12)] == [
        *("0 bytes", "999 bytes", "1 kB", "1.5 MB", "12.3 GB", "3 TB")
    ]
    assert [written_time(s) for s in (0.0123, 5, 90, 600, 7200, 864_000)] == [
        *("12 ms", "5 s", "90 s", "10 min", "2 h", "10 days")
    ]
