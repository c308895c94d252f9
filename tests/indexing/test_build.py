"""Building and bringing up to date: what is embedded, kept, moved, dropped and skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from PIL import Image
from samples import CHEAP, FRESH, draw

import vecsearch
from vecsearch import (
    BuildOptions,
    BuildReport,
    EncoderConfig,
    EncoderMismatchError,
    IndexDamagedError,
    IndexFolderError,
    SourceError,
    UsageError,
)
from vecsearch.embed.encoder import Encoder
from vecsearch.embed.engines.openvino import OpenVINOEngine
from vecsearch.store.change import Change
from vecsearch.store.writer import Writer
from vecsearch.types import Pixels, Vectors

S = TypeVar("S")
T = TypeVar("T")
BATCH = OpenVINOEngine.batch_size


def update(index: Path, *sources: Path) -> BuildReport:
    return vecsearch.build(*sources, index=index)


def counts(report: BuildReport) -> dict[str, int]:
    """Return the numbers of a report that are not zero."""
    names = ("added", "changed", "moved", "removed", "unchanged", "skipped")
    return {name: n for name in names if (n := getattr(report.counts, name))}


def content(index: Path) -> dict[str, Vectors]:
    """Map every path of an index to its vector."""
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
        assert len(opened) == len(images)
        for image, vector in zip(images, vectors, strict=True):
            best = opened.search(vector, k=len(images))[0].hits
            assert image.id in {hit.id for hit in best if hit.score > 0.999}
    return {str(image.path): vector for image, vector in zip(images, vectors, strict=True)}


def ids(index: Path) -> dict[str, int]:
    with vecsearch.open_index(index) as opened:
        return {image.path.name: image.id for image in opened}


def assert_as_built_anew(index: Path, *sources: Path) -> None:
    """Compare every path and vector with an index built from nothing."""
    anew = vecsearch.build(*sources, index=index.parent / "anew", encoder=CHEAP, options=FRESH)
    expected, found = content(anew.index), content(index)
    assert expected.keys() == found.keys()
    for path, vector in expected.items():
        np.testing.assert_allclose(found[path], vector, atol=1e-3)


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the pictures of every batch that reaches the network."""
    batches: list[int] = []
    stream = Encoder.stream

    def counting(self: Encoder, given: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[T, Vectors]]:
        def counted() -> Iterator[tuple[T, Pixels]]:
            for tag, pixels in given:
                batches.append(len(pixels))
                yield tag, pixels

        return stream(self, counted())

    monkeypatch.setattr(Encoder, "stream", counting)
    return batches


def test_a_second_build_embeds_nothing(index: Path, embedded: list[int]) -> None:
    before = content(index)
    assert counts(update(index)) == {"unchanged": 12}
    assert embedded == []
    after = content(index)
    assert before.keys() == after.keys()


def test_only_what_is_new_or_changed_is_embedded(
    index: Path, photos: Path, embedded: list[int]
) -> None:
    before = ids(index)
    draw(photos / "new.png", 50)
    draw(photos / "p3.png", 51)
    (photos / "p5.png").unlink()
    report = update(index)
    assert counts(report) == {"added": 1, "changed": 1, "removed": 1, "unchanged": 10}
    assert (sum(embedded), report.total) == (2, 12)
    after = ids(index)
    assert after["p3.png"] == before["p3.png"]
    assert after["new.png"] > max(before.values())
    assert_as_built_anew(index, photos)


def test_moved_and_copied_files_are_recognised_by_their_content(
    index: Path, photos: Path, embedded: list[int]
) -> None:
    before = ids(index)
    (photos / "p1.png").rename(photos / "more" / "renamed.png")
    shutil.copy(photos / "p2.png", photos / "copy.png")
    os.utime(photos / "p6.png", ns=(1, 1))
    report = update(index)
    assert counts(report) == {"added": 1, "moved": 1, "unchanged": 11}
    assert embedded == []
    after = ids(index)
    assert after["renamed.png"] == before["p1.png"]
    assert after["copy.png"] not in before.values()
    assert_as_built_anew(index, photos)


def test_swapped_names_give_swapped_vectors(index: Path, photos: Path, embedded: list[int]) -> None:
    (photos / "p1.png").rename(photos / "swap.png")
    (photos / "p2.png").rename(photos / "p1.png")
    (photos / "swap.png").rename(photos / "p2.png")
    for name in ("p1.png", "p2.png"):
        os.utime(photos / name)
    assert counts(update(index)) == {"changed": 2, "unchanged": 10}
    assert embedded == []
    assert_as_built_anew(index, photos)


def test_a_file_that_changes_into_one_that_goes_keeps_its_id(index: Path, photos: Path) -> None:
    before = ids_in(index)
    shutil.copy(photos / "p1.png", photos / "p0.png")
    (photos / "p1.png").unlink()
    assert counts(update(index)) == {"changed": 1, "removed": 1, "unchanged": 10}
    before.pop("p1.png")
    assert ids_in(index) == before


def test_of_two_that_are_gone_the_newer_one_has_moved(index: Path, photos: Path) -> None:
    shutil.copy(photos / "p0.png", photos / "copy.png")
    update(index)
    newer = ids_in(index)["copy.png"]
    (photos / "p0.png").rename(photos / "moved.png")
    (photos / "copy.png").unlink()
    assert counts(update(index)) == {"moved": 1, "removed": 1, "unchanged": 11}
    assert ids_in(index)["moved.png"] == newer == 13


def ids_in(index: Path) -> dict[str, int]:
    with vecsearch.open_index(index) as opened:
        return {image.path.name: image.id for image in opened}


def test_rows_do_not_lie_in_the_order_in_which_files_are_read(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backwards(items: Iterable[S], work: Callable[[S], T], _: object = None) -> Iterator[T]:
        return map(work, reversed(list(items)))

    monkeypatch.setattr("vecsearch.images.reader.in_threads", backwards)
    index = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP).index
    with vecsearch.open_index(index) as opened:
        paths = [image.path for image in opened]
    assert paths == sorted(photos.rglob("*.*"))


def test_a_hidden_source_within_another_may_not_be_there(photos: Path, tmp_path: Path) -> None:
    """Its images are not those of the source around it, whose scan would not find them."""
    draw(photos / ".hidden" / "h.png", 40)
    sources = (photos, photos / ".hidden")
    index = vecsearch.build(*sources, index=tmp_path / "ix", encoder=CHEAP).index
    (photos / ".hidden").rename(tmp_path / "elsewhere")
    (photos / "p0.png").unlink()
    report = update(index, photos)
    assert report.missing == (photos / ".hidden",)
    assert counts(report) == {"removed": 1, "unchanged": 11}
    assert report.total == 12


def test_an_id_is_never_given_twice(index: Path, photos: Path) -> None:
    last = max(ids(index).values())
    name = next(name for name, number in ids(index).items() if number == last)
    next(photos.rglob(name)).unlink()
    update(index)
    draw(photos / "new.png", 50)
    update(index)
    assert ids(index)["new.png"] == last + 1


def test_many_updates_agree_with_a_build_from_nothing(index: Path, photos: Path) -> None:
    """Also across the point where the FAISS base is made anew."""
    generator = np.random.RandomState(0)
    for step in range(12):
        for name in generator.choice(24, 3, replace=False):
            path = photos / f"p{name}.png"
            if path.exists() and generator.rand() < 0.4:
                path.unlink()
            else:
                draw(path, int(generator.randint(10**6)))
        update(index)
        if step % 4 == 3:
            assert_as_built_anew(index, photos)


def test_several_sources_are_kept_apart(index: Path, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    draw(other / "o1.png", 60)
    assert counts(update(index, other)) == {"added": 1}
    assert len(ids(index)) == 13
    (photos / "p1.png").unlink()
    draw(other / "o2.png", 61)
    assert counts(update(index, other)) == {"added": 1, "unchanged": 1}
    assert counts(update(index)) == {"removed": 1, "unchanged": 13}


def test_a_source_that_vanished_or_is_empty_deletes_nothing(index: Path, photos: Path) -> None:
    before = content(index)
    photos.rename(photos.with_name("away"))
    question = r"photos is gone, and the index has 12 images of it; nothing .* --allow-empty"
    with pytest.raises(SourceError, match=question):
        update(index)
    photos.mkdir()
    with pytest.raises(SourceError, match=r"has no pictures any more, .* --allow-empty"):
        update(index)
    assert content(index).keys() == before.keys()


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_a_source_that_is_meant_to_be_empty_is_dropped(
    how: str, index: Path, photos: Path, tmp_path: Path
) -> None:
    draw(tmp_path / "other" / "o.png", 40)
    update(index, tmp_path / "other")
    shutil.rmtree(photos)
    if how == "empty":
        photos.mkdir()
    report = vecsearch.build(index=index, options=BuildOptions(allow_empty=True))
    assert counts(report) == {"removed": 12, "unchanged": 1}
    assert [Path(path).name for path in content(index)] == ["o.png"]
    with vecsearch.open_index(index) as opened:
        assert (photos in opened.info().sources) == (how == "empty")
    if how == "gone":
        assert counts(update(index)) == {"unchanged": 1}


def test_a_source_that_vanishes_while_it_is_built_is_not_forgotten(
    index: Path, photos: Path
) -> None:
    draw(photos / "new.png", 40)

    def vanish(phase: str, done: int, total: int) -> None:
        if photos.exists():
            photos.rename(photos.with_name("away"))

    vecsearch.build(index=index, progress=vanish)
    photos.with_name("away").rename(photos)
    with vecsearch.open_index(index) as opened:
        assert opened.info().sources == (photos,)
    assert counts(update(index)) == {"added": 1, "unchanged": 12}


def test_a_file_that_comes_back_as_it_was_is_no_longer_listed(index: Path, photos: Path) -> None:
    shutil.copy2(photos / "p3.png", photos.parent / "kept.png")
    (photos / "p3.png").write_bytes(b"broken")
    assert counts(update(index)) == {"unchanged": 11, "skipped": 1}
    shutil.copy2(photos.parent / "kept.png", photos / "p3.png")
    assert counts(update(index)) == {"unchanged": 12}
    with vecsearch.open_index(index) as opened:
        assert opened.info().skipped == ()


def test_what_was_skipped_is_tried_again_on_request(photos: Path, tmp_path: Path) -> None:
    draw(photos / "large.png", 1, (1200, 900))
    small = BuildOptions(max_megapixels=1)
    index = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP, options=small).index
    with vecsearch.open_index(index) as opened:
        (skip,) = opened.info().skipped
    assert (
        skip.reason
        == "has 1.08 megapixels, 1 are the limit; build --max-megapixels raises the limit"
    )
    assert counts(update(index)) == {"unchanged": 12, "skipped": 1}
    retry = BuildOptions(retry_skipped=True)
    assert counts(vecsearch.build(index=index, options=retry)) == {"added": 1, "unchanged": 12}
    assert counts(update(index)) == {"unchanged": 13}


def test_a_file_that_changes_while_it_is_read_is_read_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat
    disturbed: list[str] = []

    def disturbing(handle: int) -> os.stat_result:
        facts = real(handle)
        name = Path(f"/proc/self/fd/{handle}").readlink().name
        if (name == "p2.png" and not disturbed) or name == "p3.png":
            disturbed.append(name)
            draw(photos / name, 60 + len(disturbed), (64 + len(disturbed), 48))
        return facts

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", disturbing)
        report = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP)
    assert disturbed.count("p3.png") == 3
    assert counts(report) == {"added": 11, "skipped": 1}
    with vecsearch.open_index(report.index) as opened:
        assert opened.info().skipped[0].reason == "cannot be read: it keeps changing"
    assert counts(update(report.index)) == {"added": 1, "unchanged": 11}
    assert_as_built_anew(report.index, photos)


def test_an_unreadable_folder_deletes_nothing(
    index: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def refusing(path: str | bytes) -> object:
        if isinstance(path, bytes) and path.endswith(b"more"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert counts(update(index)) == {"unchanged": 10, "skipped": 1}
    with vecsearch.open_index(index) as opened:
        (skipped,) = opened.info().skipped
        assert (skipped.path, skipped.reason) == (photos / "more", "Permission denied")
        assert len(opened) == 12
    monkeypatch.setattr(os, "scandir", real)
    assert counts(update(index)) == {"unchanged": 12}
    with vecsearch.open_index(index) as opened:
        assert opened.info().skipped == ()


def test_a_broken_picture_is_skipped_listed_and_shifts_no_other(
    photos: Path, tmp_path: Path, embedded: list[int]
) -> None:
    good = vecsearch.build(photos, index=tmp_path / "good", encoder=CHEAP).index
    (photos / "p00.png").write_bytes(b"")
    (photos / "p5b.jpg").write_bytes((photos / "p5.png").read_bytes()[:100])
    (photos / "p7b.png").write_text("not a picture")
    report = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP)
    assert counts(report) == {"added": 12, "skipped": 3}
    expected, found = content(good), content(report.index)
    assert expected.keys() == found.keys()
    assert all((expected[path] == found[path]).all() for path in expected)
    with vecsearch.open_index(report.index) as opened:
        skipped = {skip.path.name: skip.reason for skip in opened.info().skipped}
    assert skipped.keys() == {"p00.png", "p5b.jpg", "p7b.png"}
    assert skipped["p00.png"] == "the file is empty"
    embedded.clear()
    assert counts(update(report.index)) == {"unchanged": 12, "skipped": 3}
    draw(photos / "p00.png", 70)
    (photos / "p7b.png").unlink()
    assert counts(update(report.index)) == {"added": 1, "unchanged": 12, "skipped": 1}
    assert sum(embedded) == 1
    with vecsearch.open_index(report.index) as opened:
        assert [skip.path.name for skip in opened.info().skipped] == ["p5b.jpg"]


def test_a_picture_that_breaks_keeps_its_entry(index: Path, photos: Path) -> None:
    (photos / "p3.png").write_bytes(b"half a download")
    assert counts(update(index)) == {"unchanged": 11, "skipped": 1}
    assert counts(update(index)) == {"unchanged": 11, "skipped": 1}
    assert len(ids(index)) == 12
    draw(photos / "p3.png", 71)
    assert counts(update(index)) == {"changed": 1, "unchanged": 11}
    assert_as_built_anew(index, photos)


def test_names_that_are_not_text_and_hidden_files(photos: Path, tmp_path: Path) -> None:
    odd = os.path.join(os.fsencode(photos), b"caf\xe9 \n.png")  # noqa: PTH118
    shutil.copy(os.fsencode(photos / "p1.png"), odd)
    draw(photos / ".hidden" / "h.png", 1)
    draw(photos / ".h.png", 1)
    (photos / "notes.txt").write_text("no picture")
    (photos / "loop").symlink_to(photos)
    index = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP).index
    with vecsearch.open_index(index) as opened:
        paths = {os.fsencode(image.path) for image in opened}
        assert odd in paths
        assert len(paths) == 13
        assert opened.query([os.fsdecode(odd)], k=1)[0].hits[0].path.name == "p1.png"


def test_fresh_starts_over_with_another_encoder(index: Path, photos: Path) -> None:
    other = EncoderConfig(layer="block1_pool", weights="random:0")
    with pytest.raises(EncoderMismatchError, match=r"--layer block1_pool .*--fresh"):
        vecsearch.build(photos, index=index, encoder=other)
    (photos / "p1.png").unlink()
    report = vecsearch.build(photos, index=index, encoder=other, options=FRESH)
    assert counts(report) == {"added": 11}
    assert ids(index)["p0.png"] == 3  # by path, after the two of more/, and from 1 again
    files = {path.name for path in index.rglob("*.*")}
    assert not any(name.startswith((".partial", "next")) for name in files)
    with vecsearch.open_index(index) as opened:
        assert opened.encoder.layer == "block1_pool"
        assert len(opened.query(["id:1"], k=50)[0].hits) == 10


def test_a_fresh_build_that_fails_leaves_the_old_index(index: Path, photos: Path) -> None:
    before = content(index)
    for path in photos.rglob("p*"):
        path.write_bytes(b"broken")
    with pytest.raises(SourceError, match="none of 12 pictures can be used; the first"):
        vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
    assert content(index).keys() == before.keys()


@pytest.mark.parametrize(
    ("choice", "match"),
    [
        (EncoderConfig(pool="avg"), "--pool avg"),
        (EncoderConfig(dim=8), "--dim 8"),
        (EncoderConfig(weights="random:1"), "--weights random:1"),
        (EncoderConfig(precision="bf16"), "--precision bf16"),
    ],
)
def test_an_index_is_never_mixed(index: Path, choice: EncoderConfig, match: str) -> None:
    with pytest.raises(EncoderMismatchError, match=match):
        vecsearch.build(index=index, encoder=choice)
    assert counts(vecsearch.build(index=index, encoder=CHEAP)) == {"unchanged": 12}


def test_nothing_is_left_of_a_build_that_could_not_begin(photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "ix"
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = draw(tmp_path / "broken" / "b.png", 0)
    broken.write_bytes(b"x")
    cases: list[tuple[Path, EncoderConfig, type[Exception]]] = [
        (tmp_path / "nope", CHEAP, SourceError),
        (broken, CHEAP, SourceError),
        (empty, CHEAP, SourceError),
        (broken.parent, CHEAP, SourceError),
        (photos, EncoderConfig(layer="x"), UsageError),
        (photos, EncoderConfig(weights="random:0", dim=10**6), UsageError),
        (photos, EncoderConfig(weights="random:0", layer="block1_pool", dim=13), UsageError),
    ]
    for source, config, error in cases:
        with pytest.raises(error):
            vecsearch.build(source, index=target, encoder=config)
        assert not (target / "catalog.sqlite").exists()
    with pytest.raises(IndexFolderError, match="is not an index and not empty"):
        vecsearch.build(photos, index=photos, encoder=CHEAP)
    with pytest.raises(IndexFolderError, match="is a file"):
        vecsearch.build(photos, index=photos / "p1.png", encoder=CHEAP)


def test_a_projection_is_part_of_the_index(photos: Path, tmp_path: Path) -> None:
    config = EncoderConfig(layer="block1_pool", pool="avg", weights="random:0", dim=6)
    report = vecsearch.build(photos, index=tmp_path / "ix", encoder=config)
    assert report.encoder.dim == 6
    reduction = report.reduction
    assert reduction is not None
    assert 0.5 < reduction.variance_kept <= 1
    assert (reduction.sample, reduction.pictures, reduction.held_out) == (12, 12, False)
    assert (reduction.k, 0.5 < reduction.overlap <= 1) == (3, True)
    shutil.copy(photos / "p1.png", photos.parent / "new.png")
    draw(photos / "later.png", 80)
    assert counts(vecsearch.build(index=report.index)) == {"added": 1, "unchanged": 12}
    with vecsearch.open_index(report.index) as opened:
        assert opened.info().reduction == reduction
        best = opened.query([photos.parent / "new.png"])[0].hits[0]
        assert best.path == photos / "p1.png"
        assert best.score > 0.999


def test_an_interrupted_build_keeps_what_it_embedded(
    photos: Path, tmp_path: Path, embedded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecsearch.indexing.stage import Stage

    embed = Stage.embed

    def interrupted(self: Stage, batch, vectors) -> None:  # type: ignore[no-untyped-def]
        embed(self, batch, vectors)
        raise KeyboardInterrupt

    monkeypatch.setattr(Stage, "embed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP)
    monkeypatch.setattr(Stage, "embed", embed)
    assert len(ids(tmp_path / "ix")) == BATCH
    with vecsearch.open_index(tmp_path / "ix") as opened:
        assert opened.info().sources == (photos,)
    embedded.clear()
    assert counts(update(tmp_path / "ix", photos)) == {"added": 12 - BATCH, "unchanged": BATCH}
    assert sum(embedded) == 12 - BATCH
    assert_as_built_anew(tmp_path / "ix", photos)


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_ctrl_c_in_a_commit_mixes_nothing_up(
    moment: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Writer.commit

    def interrupted(self: Writer, change: Change) -> None:
        monkeypatch.setattr(Writer, "commit", commit)
        if moment == "after the commit":
            commit(self, change)
        raise KeyboardInterrupt

    monkeypatch.setattr(Writer, "commit", interrupted)
    options = BuildOptions(commit_images=8)
    with pytest.raises(KeyboardInterrupt):
        vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP, options=options)
    vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP)
    assert_as_built_anew(tmp_path / "ix", photos)


def test_the_users_own_files_are_never_deleted(photos: Path, tmp_path: Path) -> None:
    own = tmp_path / "project" / "encoder" / "model.py"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    for folder in (tmp_path / "project", tmp_path / "nope" / ".." / "project"):
        for options in (None, FRESH):
            with pytest.raises(IndexFolderError, match="is not an index and not empty"):
                vecsearch.build(photos, index=folder, encoder=CHEAP, options=options)
    other = tmp_path / "other" / "catalog.sqlite"
    other.parent.mkdir()
    other.write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(IndexFolderError):
        vecsearch.build(photos, index=other.parent, encoder=CHEAP, options=FRESH)
    assert own.read_text() == "mine"
    index = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP).index
    (index / "vectors" / "notes.txt").write_text("mine")
    (index / "vectors" / "sub").mkdir()
    draw(photos / "new.png", 50)
    assert counts(update(index)) == {"added": 1, "unchanged": 12}
    assert (index / "vectors" / "notes.txt").read_text() == "mine"


def test_a_pipe_called_like_a_picture_holds_up_nothing(photos: Path, tmp_path: Path) -> None:
    os.mkfifo(photos / "pipe.jpg")
    (photos / "broken.jpg").symlink_to(photos / "nowhere.jpg")
    report = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP)
    assert counts(report) == {"added": 12, "skipped": 2}
    with vecsearch.open_index(report.index) as opened:
        reasons = {skip.path.name: skip.reason for skip in opened.info().skipped}
    assert reasons == {"pipe.jpg": "not a regular file", "broken.jpg": "No such file or directory"}


def test_a_file_that_could_not_be_read_is_tried_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refusing(path: Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if isinstance(path, Path) and path.name == "p3.png":
            raise PermissionError(13, "Permission denied")
        return real(path, flags, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refusing)
        report = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP)
    assert counts(report) == {"added": 11, "skipped": 1}
    assert counts(update(report.index)) == {"added": 1, "unchanged": 11}


def test_the_base_is_made_anew_once_and_not_at_every_build(index: Path, photos: Path) -> None:
    for number in range(4):
        (photos / f"p{number}.png").unlink()
    update(index)
    (base,) = (index / "ann").iterdir()
    for _ in range(3):
        update(index)
    assert [path.name for path in (index / "ann").iterdir()] == [base.name]


def test_an_index_that_was_not_named_is_not_mixed_with_another_folder(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vecsearch.build(photos, encoder=CHEAP)
    draw(tmp_path / "other" / "photos" / "o.png", 1)
    with pytest.raises(SourceError, match=r"is the index of .*name another index"):
        vecsearch.build("other/photos", encoder=CHEAP)
    vecsearch.build("other/../photos")
    assert {path.name for path in (tmp_path / "indexes").iterdir()} == {"photos"}


def test_int8_is_calibrated_measured_and_refused_when_it_agrees_little(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = EncoderConfig(layer="block2_pool", weights="random:0", precision="int8")
    (tmp_path / "alike").mkdir()
    for number in range(12):  # a level of noise apart, so that rounding tells which are nearest
        pixels = np.random.RandomState(number).randint(128, 130, (224, 224, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "alike" / f"{number}.png")
    with pytest.raises(EncoderMismatchError, match=r"int8 finds only .*--force"):
        vecsearch.build(tmp_path / "alike", index=tmp_path / "low", encoder=config)
    assert not (tmp_path / "low").exists()
    report = vecsearch.build(
        photos, index=tmp_path / "ix", encoder=config, options=BuildOptions(force=True)
    )
    assert capfd.readouterr().out == ""
    assert report.agreement is not None
    assert (report.agreement.pictures, report.agreement.k) == (6, 3)
    assert report.agreement.mean_cosine > 0.9
    with vecsearch.open_index(report.index) as opened:
        assert opened.info().agreement == report.agreement
        assert opened.encoder.precision == "int8"
        copy = shutil.copy(photos / "p1.png", tmp_path / "copy.png")
        assert opened.query(copy)[0].hits[0].path == photos / "p1.png"
    draw(photos / "later.png", 80)
    assert counts(update(report.index)) == {"added": 1, "unchanged": 12}


@pytest.mark.parametrize(
    "options", [BuildOptions(commit_bytes=1), BuildOptions(commit_seconds=1e-9)]
)
def test_what_was_embedded_is_committed_by_bytes_and_by_time(
    options: BuildOptions, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12, 3 * BATCH):
        draw(photos / f"q{number}.png", number)
    embedded: list[int] = []
    commit = Writer.commit

    def noting(self: Writer, change: Change) -> None:
        embedded.append(len(change.embedded))
        commit(self, change)

    monkeypatch.setattr(Writer, "commit", noting)
    vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP, options=options)
    assert embedded[:3] == [BATCH] * 3
    assert sum(embedded) == 3 * BATCH


def test_an_update_does_not_embed_with_a_damaged_network(index: Path, photos: Path) -> None:
    (constants,) = (index / "encoder").glob("*.bin")
    data = bytearray(constants.read_bytes())
    data[len(data) // 2] ^= 0x40
    constants.write_bytes(data)
    draw(photos / "new.png", 77)
    with pytest.raises(IndexDamagedError, match="its SHA-256 differs"):
        update(index)


def test_a_folder_stays_where_an_index_came_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"broken")
    for made in (True, False):
        if not made:
            (tmp_path / "ix").mkdir()
        with pytest.raises(SourceError, match="none of 1 picture can be used"):
            vecsearch.build(tmp_path / "photos", index=tmp_path / "ix", encoder=CHEAP)
        assert (tmp_path / "ix").exists() != made
