"""PCA on vectors that are read by panels: its axes, its memory, its file, what it keeps."""

from __future__ import annotations

import gc
import json
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from samples import InPanels, Run, draw
from sklearn.decomposition import PCA

import vecsearch
from vecsearch import EncoderConfig, IndexFolderError, UsageError, WeightsError
from vecsearch.embed.feature_file import FeatureFile
from vecsearch.embed.pca import Projection, check_dim, sample_size, train_projection
from vecsearch.indexing import fit
from vecsearch.indexing.agreement import overlap_when_reduced, shared_nearest
from vecsearch.types import Vectors


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def unit_vectors(n: int, d: int, seed: int = 0, rank: int | None = None) -> Vectors:
    """Seeded vectors of unit length whose directions differ in how much they vary."""
    generator = np.random.RandomState(seed)
    rank = min(n, d) if rank is None else rank
    spread = 1 / np.arange(1, rank + 1)
    vectors = (generator.normal(size=(n, rank)) * spread) @ generator.normal(size=(rank, d)) + 1
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def true_axes(vectors: Vectors, dim: int) -> tuple[npt.NDArray[np.float64], float]:
    """Return the axes by numpy's SVD of the centred vectors and the share of variance they keep."""
    centred = vectors.astype(np.float64)
    centred -= centred.mean(axis=0)
    _, sigma, axes = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    return (axes * signs[:, None])[:dim], float((sigma[:dim] ** 2).sum() / (sigma**2).sum())


@pytest.mark.parametrize("width", [7, 64, 1000])
@pytest.mark.parametrize(
    ("n", "d", "dim"), [(20, 300, 5), (40, 41, 39), (60, 30, 8), (50, 50, 12), (90, 23, 23)]
)
def test_the_axes_are_those_of_an_svd(n: int, d: int, dim: int, width: int) -> None:
    """With fewer pictures than dimensions, and with more; in one panel, and in many."""
    vectors = unit_vectors(n, d)
    projection, kept = train_projection(InPanels(vectors, width), dim)
    axes, true_share = true_axes(vectors, dim)
    assert projection.matrix.dtype == projection.bias.dtype == np.float32
    np.testing.assert_allclose(projection.matrix, axes, atol=2e-5)
    np.testing.assert_allclose(projection.bias, -axes @ vectors.mean(axis=0), atol=2e-5)
    assert kept == pytest.approx(true_share, abs=1e-6)


def test_pca_is_that_of_scikit_learn() -> None:
    vectors = unit_vectors(60, 30)
    projection, kept = train_projection(InPanels(vectors, 11), 8)
    expected = PCA(8, svd_solver="full").fit(vectors)
    ours = vectors @ projection.matrix.T + projection.bias
    theirs = expected.transform(vectors)
    signs = np.sign((ours * theirs).sum(axis=0))
    np.testing.assert_allclose(ours * signs, theirs, atol=1e-5)
    assert kept == pytest.approx(expected.explained_variance_ratio_.sum(), abs=1e-6)


def test_the_same_vectors_give_the_same_projection_whatever_their_order_of_arrival(
    tmp_path: Path,
) -> None:
    vectors = unit_vectors(30, 200)
    found = []
    for order in (range(30), reversed(range(30))):
        with FeatureFile(tmp_path, 30, 200, panel_bytes=8 * 30 * 17) as file:
            for place in order:
                file.put(place, vectors[place])
            found.append(train_projection(file.rows(), 6)[0])
    assert found[0].sha256() == found[1].sha256()
    mirrored, _ = train_projection(InPanels(2 * vectors.mean(axis=0) - vectors, 17), 6)
    np.testing.assert_allclose(mirrored.matrix, found[0].matrix, atol=1e-4)  # the same signs


@pytest.mark.parametrize(("n", "d"), [(30, 400), (80, 40)])
def test_axes_that_hardly_vary_are_as_orthonormal_as_the_others(n: int, d: int) -> None:
    """Down to 1e-8 of the first one's variance; the axes of rounding are not to be had."""
    generator = np.random.RandomState(0)
    basis = np.linalg.qr(generator.normal(size=(d, 10)))[0].T
    spread = np.geomspace(1, 1e-4, 10)
    vectors = np.asarray((generator.normal(size=(n, 10)) * spread) @ basis, np.float32)
    projection, kept = train_projection(InPanels(vectors, 64), 10)
    np.testing.assert_allclose(projection.matrix @ projection.matrix.T, np.eye(10), atol=1e-5)
    assert kept == pytest.approx(1, abs=1e-6)
    with pytest.raises(UsageError, match=r"--dim 11 .* differ in 10; give --dim 10 or less"):
        train_projection(InPanels(vectors, 64), 11)


@pytest.mark.parametrize(("n", "d"), [(40, 300), (40, 30)])
def test_pictures_that_are_copies_of_one_another(n: int, d: int) -> None:
    copies = np.repeat(unit_vectors(5, d), n // 5, axis=0)
    projection, kept = train_projection(InPanels(copies, 16), 4)
    np.testing.assert_allclose(projection.matrix @ projection.matrix.T, np.eye(4), atol=1e-5)
    assert kept == pytest.approx(1)
    with pytest.raises(UsageError, match=r"--dim 5 needs .* differ in 4; give --dim 4 or less"):
        train_projection(InPanels(copies, 16), 5)
    with pytest.raises(UsageError, match=r"are all alike; leave --dim out"):
        train_projection(InPanels(np.repeat(copies[:1], n, axis=0), 16), 2)


def test_axes_of_rounding_do_not_count() -> None:
    """The second has more variance than rounding of unit vectors, but too little of the first's."""
    generator = np.random.RandomState(0)
    vectors = np.zeros((40, 6), np.float32)
    vectors[:, 0] = np.repeat([1, -1], 20)
    vectors[:, 1] = 6e-6 * generator.choice([-1, 1], 40)
    with pytest.raises(UsageError, match="differ in 1"):
        train_projection(InPanels(vectors, 6), 2)
    vectors[:, 1] *= 10
    assert train_projection(InPanels(vectors, 6), 2)[0].matrix.shape == (2, 6)


def test_whatever_changes_a_projection_changes_its_hash() -> None:
    projection, _ = train_projection(InPanels(unit_vectors(20, 9), 9), 3)
    others = (
        replace(projection, matrix=projection.matrix + 1),
        replace(projection, bias=projection.bias + 1),
    )
    assert len({one.sha256() for one in (projection, *others)}) == 3
    assert replace(projection, mean=projection.mean + 1).sha256() == projection.sha256()


def test_axes_are_fewer_than_pictures() -> None:
    check_dim(5, 10, 6)
    with pytest.raises(UsageError, match="--dim 5 needs at least 6 readable pictures, there are 5"):
        check_dim(5, 10, 5)


def test_vectors_that_are_not_numbers_are_an_error() -> None:
    vectors = unit_vectors(10, 30)
    vectors[3, 7] = np.nan
    with pytest.raises(WeightsError, match="not numbers"):
        train_projection(InPanels(vectors, 16), 2)


def test_memory_is_bounded_by_panels_and_the_matrix(tmp_path: Path) -> None:
    """30,000 columns of 100 pictures, of which a panel of 1 MB holds a twentieth."""
    n, d, dim, panel_bytes = 100, 30_000, 3, 1 << 20
    generator = np.random.RandomState(0)
    with FeatureFile(tmp_path, n, d, panel_bytes=panel_bytes) as file:
        for place in range(n):
            file.put(place, generator.normal(size=d).astype(np.float32))
        gc.collect()
        tracemalloc.start()
        try:
            projection, _ = train_projection(file.rows(0, 80), dim)
            overlap_when_reduced(file.rows(), projection, 20, 10)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    kept = projection.matrix.nbytes + 8 * n * n + 16 * d
    assert peak < kept + 4 * panel_bytes < 4 * n * d / 2


def test_rows_are_read_back_past_places_that_stayed_empty(tmp_path: Path) -> None:
    vectors = unit_vectors(12, 50)
    with FeatureFile(tmp_path, 20, 50, panel_bytes=8 * 20 * 13) as file:
        places = [0, 1, 2, 5, 6, 9, 11, 12, 13, 17, 18, 19]
        for place, vector in reversed(list(zip(places, vectors, strict=True))):
            file.put(place, vector)
        assert len(file) == 12
        for start, stop in ((0, None), (0, 3), (2, 9), (9, 12), (11, 12)):
            rows = file.rows(start, stop)
            panels = list(rows.panels())
            assert [first for first, _ in panels] == [0, 13, 26, 39]
            found = np.concatenate([panel for _, panel in panels], axis=1)
            np.testing.assert_array_equal(found, vectors[start:stop])
            assert rows.shape == found.shape
        assert not list(tmp_path.iterdir())  # it has no name


def test_a_disk_without_room_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**9))
        with pytest.raises(IndexFolderError, match=r"cannot take the 1,606 MB .*1,000 MB are free"):
            FeatureFile(tmp_path, 4000, 100_352)
    with pytest.raises(IndexFolderError, match="No such file"):
        FeatureFile(tmp_path / "gone", 4, 100)


def test_a_disk_that_fills_up_meanwhile_is_one_line(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: writing, then closing, is refused."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(file: FeatureFile) -> None:
        for place in range(100):
            file.put(place, np.zeros(1000, np.float32))
        list(file.rows().panels())

    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        with (
            pytest.raises(IndexFolderError, match=r"cannot take the 0 MB .*too large") as caught,
            FeatureFile(tmp_path, 100, 1000) as file,
        ):
            fill(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)


def test_a_file_that_lost_its_end_is_not_believed(tmp_path: Path) -> None:
    with FeatureFile(tmp_path, 4, 100) as file:
        for place in range(4):
            file.put(place, np.ones(100, np.float32))
        file._file.truncate(1000)
        with pytest.raises(IndexFolderError, match="its end is missing"):
            list(file.rows().panels())


def test_the_overlap_is_that_of_plain_numpy() -> None:
    vectors = unit_vectors(80, 120)
    projection, _ = train_projection(InPanels(vectors[:60], 32), 6)
    found = overlap_when_reduced(InPanels(vectors, 32), projection, 20, 10)
    reduced = vectors @ projection.matrix.T + projection.bias
    reduced /= np.linalg.norm(reduced, axis=1, keepdims=True)
    shares = []
    for query in range(60, 80):
        orders = [np.argsort(-(v @ v[query]), kind="stable") for v in (vectors, reduced)]
        tops = [order[order != query][:10] for order in orders]
        shares.append(len(np.intersect1d(*tops)) / 10)
    assert found == pytest.approx(np.mean(shares))
    assert 0.2 < found < 1
    zeros = np.zeros(120, np.float32)
    whole = Projection(np.eye(120, dtype=np.float32), zeros, zeros, 1.0)
    assert overlap_when_reduced(InPanels(vectors, 32), whole, 80, 10) == 1


def test_shared_nearest_leaves_the_query_itself_out() -> None:
    exact = np.array([[3.0, 1.0, 9.0], [0.0, 5.0, 9.0]])[:, [0, 2, 1]]
    other = np.array([[3.0, -1.0, 0.0], [4.0, 0.0, 9.0]])
    assert shared_nearest(exact, other, 1) == 0.5


@pytest.mark.parametrize(
    ("dim", "feature_dim", "expected"),
    [(64, 512, 1024), (512, 100_352, 4096), (8, 100_352, 1024), (5000, 100_352, 5001)],
)
def test_the_size_of_the_sample(dim: int, feature_dim: int, expected: int) -> None:
    assert sample_size(dim, feature_dim) == expected


def test_a_build_tells_what_its_pca_keeps(photos: Path, tmp_path: Path, run: Run) -> None:
    arguments = ("--layer", "block1_conv1", "--weights", "random:0", "--dim", "6")
    done = run("build", photos, "-i", tmp_path / "ix", *arguments)
    line = next(line for line in done.stdout.splitlines() if line.startswith("PCA keeps"))
    assert "of the variance of 12 pictures" in line
    assert line.endswith("of the 3 nearest by full vectors (over 12 of these pictures themselves)")
    assert f"PCA          {line}" in run("info", "-i", tmp_path / "ix").stdout
    info = json.loads(run("info", "-i", tmp_path / "ix", "--json").stdout)
    done = run("build", photos, "-i", tmp_path / "ix", *arguments, "--fresh", "--json")
    reduction = json.loads(done.stdout)["reduction"]
    assert reduction == info["reduction"]  # the same pictures give the same figures
    assert reduction["sample"] == reduction["pictures"] == 12
    assert 0 < reduction["overlap"] <= 1
    assert {path.name for path in tmp_path.iterdir()} == {"ix", "photos"}


def test_a_fifth_is_held_out_where_there_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        draw(tmp_path / "photos" / f"{number:02}.png", number)
    (tmp_path / "photos" / "broken.png").write_bytes(b"x")
    monkeypatch.setattr(fit, "_HELD_OUT_FROM", 20)

    def reduction(dim: int) -> tuple[int, int, bool, int]:
        config = EncoderConfig(layer="block1_conv1", weights="random:0", precision="fp32", dim=dim)
        report = vecsearch.build(tmp_path / "photos", index=tmp_path / str(dim), encoder=config)
        found = report.reduction
        assert found is not None
        assert 0 < found.overlap <= 1
        return found.sample, found.pictures, found.held_out, found.k

    assert reduction(8) == (16, 4, True, 6)
    assert reduction(17) == (20, 20, False, 6)  # 16 would not do


def test_copies_of_one_picture_are_told_and_leave_nothing(tmp_path: Path) -> None:
    first = draw(tmp_path / "photos" / "0.png", 1)
    for number in range(1, 8):
        shutil.copy(first, first.with_name(f"{number}.png"))
    config = EncoderConfig(layer="block1_conv1", weights="random:0", precision="fp32", dim=3)
    with pytest.raises(UsageError, match="the 8 of the sample are all alike; leave --dim out"):
        vecsearch.build(tmp_path / "photos", index=tmp_path / "ix", encoder=config)
    assert not (tmp_path / "ix").exists()
