"""A library that was renamed, moved to another disk or machine; and what stays removed in it."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from samples import CHEAP, Run, draw

import vecsearch
from vecsearch import BuildOptions, BuildReport, NotFoundError, SourceError, UsageError
from vecsearch.types import absolute_path


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def known(index: Path) -> dict[str, int]:
    """Map the paths of an index to their ids."""
    with vecsearch.open_index(index) as opened:
        return {str(image.path): image.id for image in opened}


def update(index: Path, *sources: Path, **options: Any) -> BuildReport:
    return vecsearch.build(*sources, index=index, encoder=CHEAP, options=BuildOptions(**options))


def renamed(before: dict[str, int], old: Path, new: Path) -> dict[str, int]:
    return {path.replace(str(old), str(new), 1): number for path, number in before.items()}


@pytest.mark.parametrize("allow_empty", [False, True])
def test_a_renamed_folder_keeps_ids_and_what_was_removed_from_it(
    index: Path, photos: Path, allow_empty: bool
) -> None:
    vecsearch.remove(photos / "p1.png", index=index)
    before = known(index)
    pictures = photos.rename(photos.with_name("pictures"))
    report = update(index, pictures, allow_empty=allow_empty)
    ((one,), counts) = report.relocated, report.counts
    assert (one.old, one.new, one.images) == (photos, pictures, len(before))
    assert (counts.unchanged, counts.skipped) == (len(before), 1)
    assert counts.added == counts.moved == counts.removed == 0
    assert known(index) == renamed(before, photos, pictures)
    with vecsearch.open_index(index) as opened:
        assert opened.info().sources == (pictures,)
        assert [skip.path for skip in opened.info().skipped] == [pictures / "p1.png"]
    assert vecsearch.verify(index).problems == ()


def test_no_second_index_is_made_of_it_unasked(photos: Path, run: Run) -> None:
    options = ("--layer", "block1_conv1", "--weights", "random:0", "--precision", "fp32")
    run("build", photos, *options)
    photos.rename(photos.with_name("pictures"))
    said = run("build", "pictures", *options, code=1).stderr
    assert "pictures has the pictures that indexes/photos has as" in said
    assert "-i indexes/photos keeps its ids" in said
    assert "12 unchanged" in run("build", "pictures", "-i", "indexes/photos").stdout
    said = run("build", "pictures").stdout  # which has an index now, whatever its name
    assert said.startswith("indexes/photos: 12 images (12 unchanged)")
    assert not Path("indexes/pictures").exists()


def test_it_is_said(index: Path, photos: Path, run: Run) -> None:
    pictures = photos.rename(photos.with_name("pictures"))
    done = run("build", pictures, "-i", index)
    assert "photos is pictures now: 12 images with their ids" in done.stdout
    again = run("build", pictures, "-i", index)
    assert "now:" not in again.stdout


def test_a_parent_that_was_renamed_and_a_folder_that_went_deeper(tmp_path: Path) -> None:
    index, old, new = tmp_path / "index", tmp_path / "old", tmp_path / "new"
    for number in range(6):
        draw(old / "ab"[number % 2] / "sub" / f"{number}.png", number)
    update(index, old / "a", old / "b")
    before = known(index)
    old.rename(new)
    update(index, new)
    assert known(index) == renamed(before, old, new)
    deeper = tmp_path / "archive" / "new"
    deeper.parent.mkdir()
    new.rename(deeper)
    report = update(index, deeper.parent)
    assert [one.new for one in report.relocated] == [deeper]  # the two with their parent
    assert known(index) == renamed(before, old, deeper)
    assert report.counts.unchanged == 6


def test_a_tar_that_was_renamed(tmp_path: Path, photos: Path) -> None:
    index, old, new = tmp_path / "index", tmp_path / "a.tar", tmp_path / "b.tar"
    with tarfile.open(old, "w") as tar:
        tar.add(photos, "photos")
    update(index, old)
    before = known(index)
    old.rename(new)
    report = update(index, new)
    assert report.counts.unchanged == len(before)
    assert known(index) == renamed(before, old, new)


def test_some_files_may_have_changed_meanwhile(index: Path, photos: Path) -> None:
    before = known(index)
    pictures = photos.rename(photos.with_name("pictures"))
    draw(pictures / "p0.png", 77)
    (pictures / "p2.png").unlink()
    draw(pictures / "new.png", 78)
    os.utime(pictures / "p3.png", (1, 1))
    counts = update(index, pictures).counts
    assert (counts.added, counts.changed, counts.removed, counts.moved) == (1, 1, 1, 0)
    after = renamed(before, photos, pictures)
    del after[str(pictures / "p2.png")]
    assert known(index) == after | {str(pictures / "new.png"): 13}


def test_a_copy_is_not_a_move(index: Path, photos: Path) -> None:
    before = known(index)
    copy = Path(shutil.copytree(photos, photos.with_name("copy")))
    report = update(index, copy)
    assert not report.relocated
    assert report.counts.added == len(before)
    assert before.items() <= known(index).items()


def test_a_folder_of_other_pictures_is_not_the_one_that_is_gone(
    index: Path, photos: Path, tmp_path: Path, run: Run
) -> None:
    before = known(index)
    other = tmp_path / "other"
    for number in range(5):
        shutil.copy(draw(tmp_path / "x.png", 50 + number), other.parent / "y.png")
        draw(other / f"p{number}.png", 60 + number)
    shutil.copy(photos / "p5.png", other / "p5.png")
    shutil.move(photos, tmp_path / "away")
    report = update(index, other)
    assert (report.relocated, report.missing) == ((), (photos,))
    assert before.items() <= known(index).items()
    said = run("build", other, "-i", index).stdout
    assert "photos is gone, and its images stay in the index" in said
    assert "vecsearch build photos -i index --allow-empty" in said
    update(index, photos, allow_empty=True)
    assert all(path.startswith(str(other)) for path in known(index))


def test_where_nothing_is_mounted_any_more_is_as_good_as_gone(index: Path, photos: Path) -> None:
    before = known(index)
    disk = Path(shutil.copytree(photos, photos.with_name("disk")))
    shutil.rmtree(photos)
    photos.mkdir()
    assert update(index, disk).relocated
    assert known(index) == renamed(before, photos, disk)


def test_the_question_names_relocate(index: Path, photos: Path) -> None:
    photos.rename(photos.with_name("pictures"))
    with pytest.raises(SourceError, match=rf"photos is gone.* vecsearch relocate {photos} NEW"):
        update(index)


def test_a_source_without_images_that_vanished_blocks_nothing(photos: Path, tmp_path: Path) -> None:
    index, sub = tmp_path / "index", photos / "sub"
    draw(sub / "one.png", 1)
    update(index, photos, sub)
    (sub / "one.png").unlink()
    assert update(index, photos).counts.removed == 1
    assert update(index).counts.unchanged == 12  # it is there, and empty
    sub.rmdir()
    draw(photos / "new.png", 2)
    assert update(index).counts.added == 1
    with vecsearch.open_index(index) as opened:
        assert opened.info().sources == (photos,)


@pytest.mark.parametrize("retry", [False, True])
@pytest.mark.parametrize("change", ["touch", "copy back", "rename", "elsewhere", "overwrite"])
def test_what_was_removed_stays_removed_by_content(
    index: Path, photos: Path, tmp_path: Path, change: str, retry: bool
) -> None:
    file, backup = photos / "p1.png", tmp_path / "backup.png"
    shutil.copy2(file, backup)
    vecsearch.remove(file, index=index)
    if change == "touch":
        os.utime(file, (5, 5))
    elif change == "copy back":
        file.unlink()
        update(index)
        shutil.copy(backup, file)
    elif change == "rename":
        file.rename(photos / "other.png")
    elif change == "elsewhere":
        update(index, Path(shutil.copytree(photos, tmp_path / "second")), photos)
    else:
        shutil.copy(backup, photos / "p2.png")
    counts = update(index, retry_skipped=retry).counts
    here = known(index)
    if retry:
        assert counts.added + counts.changed >= 1
        assert len(here) == {"elsewhere": 24, "overwrite": 12}.get(change, 12)
        shutil.copy(backup, photos / "again.png")
        counts = update(index).counts  # it was let in again for good
        assert (counts.added, counts.skipped) == (1, 0)
    else:
        assert len(here) == {"elsewhere": 22, "overwrite": 10}.get(change, 11)
        assert counts.added == 0
        assert update(index).counts.skipped == {"elsewhere": 2, "overwrite": 2}.get(change, 1)
    assert vecsearch.verify(index).problems == ()


def test_the_copy_that_stays_may_be_renamed(index: Path, photos: Path) -> None:
    shutil.copy2(photos / "p1.png", photos / "copy.png")
    update(index)
    vecsearch.remove(photos / "p1.png", index=index)
    number = known(index)[str(photos / "copy.png")]
    (photos / "copy.png").rename(photos / "kept.png")
    assert update(index).counts.moved == 1
    assert known(index)[str(photos / "kept.png")] == number
    assert str(photos / "p1.png") not in known(index)


def test_removed_stays_removed_in_what_it_is_merged_into(
    index: Path, photos: Path, tmp_path: Path
) -> None:
    vecsearch.remove(photos / "p1.png", index=index)
    both = tmp_path / "both"
    vecsearch.merge(index, index=both)
    os.utime(photos / "p1.png", (5, 5))
    assert update(both).counts.skipped == 1


def test_relocate_for_another_machine(index: Path, photos: Path, tmp_path: Path, run: Run) -> None:
    before = known(index)
    vecsearch.remove(photos / "p1.png", index=index)
    there = Path(shutil.copytree(photos, tmp_path / "mnt" / "photos"))
    os.utime(there / "p1.png", (7, 7))
    dry = run("relocate", photos, there, "-i", index, "--dry-run", "--json")
    report = json.loads(dry.stdout)
    assert (report["moved"], report["compared"], report["same"]) == (11, 11, 11)
    assert set(known(index)) <= set(before)
    done = run("relocate", photos, there, "-i", index)
    assert "photos is mnt/photos now: 11 images with their ids (11 of 11" in done.stdout
    after = renamed(before, photos, there)
    del after[str(there / "p1.png")]
    assert known(index) == after
    counts = update(index).counts
    assert (counts.unchanged, counts.skipped, counts.added) == (11, 1, 0)


def test_relocate_refuses_what_is_not_there_and_changes_nothing(
    index: Path, photos: Path, tmp_path: Path, run: Run
) -> None:
    before = known(index)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"^0 of 7 images of .* unchanged below .*empty"):
        vecsearch.relocate(photos, tmp_path / "empty", index=index)
    with pytest.raises(SourceError, match="nothing was changed"):
        vecsearch.relocate(photos, tmp_path / "nowhere", index=index)
    with pytest.raises(NotFoundError, match=r"has no images below .*; its sources are"):
        vecsearch.relocate(tmp_path / "empty", photos, index=index)
    with pytest.raises(UsageError):
        vecsearch.relocate(photos, photos / ".", index=index)
    same_names = tmp_path / "same-names"
    for name in before:
        draw(same_names / Path(name).relative_to(photos), 99)
    with pytest.raises(SourceError, match=r"0 of 7 images of .* unchanged"):
        vecsearch.relocate(photos, same_names, index=index)
    done = run("relocate", photos, tmp_path / "empty", "-i", index, code=1)
    assert done.stderr.count("\n") == 1
    assert known(index) == before


def test_relocate_ends_a_life_of_twins(index: Path, photos: Path, tmp_path: Path) -> None:
    """Both places are in the index, as programs of before left it."""
    before = known(index)
    copy = Path(shutil.copytree(photos, tmp_path / "copy"))
    draw(copy / "p3.png", 33)
    update(index, copy)
    other = known(index)[str(copy / "p3.png")]
    shutil.rmtree(photos)
    vecsearch.relocate(photos, copy, index=index)
    after = renamed(before, photos, copy) | {str(copy / "p3.png"): other}
    assert known(index) == after
    with vecsearch.open_index(index) as opened:
        assert opened.info().sources == (copy,)
        assert len(opened.query(copy / "p1.png", k=20)[0].hits) == 11
    assert vecsearch.verify(index).problems == ()
    assert update(index).counts.unchanged == 12


def test_relocate_into_a_folder_below_and_back(index: Path, photos: Path, tmp_path: Path) -> None:
    """Each path is for a while that of another image: p.png and deep/p.png, to deep/deep."""
    before = known(index)
    for path in list(before):
        target = photos / "photos" / Path(path).relative_to(photos)
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(path).rename(target)
    vecsearch.relocate(photos, photos / "photos", index=index)
    assert known(index) == renamed(before, photos, photos / "photos")
    assert update(index).counts.unchanged == 12


def test_a_list_goes_with_the_folder_that_it_is_relative_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, index = tmp_path / "old", tmp_path / "new", tmp_path / "index"
    for number in range(3):
        draw(old / f"{number}.png", number)
    (old / "list.txt").write_text("0.png\n1.png\n")
    monkeypatch.chdir(old)
    vecsearch.build(index=index, encoder=CHEAP, from_list="list.txt")
    before = known(index)
    monkeypatch.chdir(tmp_path)
    old.rename(new)
    vecsearch.relocate(old, new, index=index)
    (new / "list.txt").write_text("0.png\n1.png\n2.png\n")
    counts = update(index).counts
    assert (counts.unchanged, counts.added) == (2, 1)
    assert renamed(before, old, new).items() <= known(index).items()


def test_an_open_index_goes_on(index: Path, photos: Path) -> None:
    with vecsearch.open_index(index) as opened:
        first = opened.query(photos / "p2.png", k=3)[0]
        pictures = photos.rename(photos.with_name("pictures"))
        vecsearch.relocate(photos, pictures, index=index)
        second = opened.query(pictures / "p2.png", k=3)[0]
    assert [hit.id for hit in first.hits] == [hit.id for hit in second.hits]
    assert all(hit.path.parent.name != "photos" for hit in second.hits)


def test_a_library_may_move_into_a_store_and_back(index: Path, photos: Path) -> None:
    import fsspec

    before = known(index)
    store = fsspec.filesystem("memory")
    store.put(str(photos), "/library", recursive=True)
    try:
        report = vecsearch.relocate(photos, "memory://library", index=index)
        assert report.same == 12
        there = renamed(before, photos, absolute_path("memory://library"))
        assert known(index) == there
        counts = update(index).counts
        assert (counts.unchanged, counts.added, counts.removed) == (12, 0, 0)
        vecsearch.relocate("memory://library", photos, index=index)
        assert known(index) == before
    finally:
        store.rm("/library", recursive=True)
