"""Where pictures come from: large trees, lists, tars and URLs, all kept up to date alike."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from samples import CHEAP, FRESH, Run, draw

import vecsearch
from vecsearch import BuildOptions, BuildReport, QueryOptions, SourceError, UsageError
from vecsearch.images.reader import ReadImage
from vecsearch.images.sources import tar
from vecsearch.images.sources import url as url_source
from vecsearch.images.sources import walk as walking
from vecsearch.images.sources.access import is_gone, read_content
from vecsearch.images.sources.folder import FolderSource
from vecsearch.images.sources.scan import FoundFile
from vecsearch.images.sources.tar import TarSource
from vecsearch.indexing import diff as planning
from vecsearch.indexing.build_options import BuildOptions as Options
from vecsearch.indexing.diff import compare
from vecsearch.indexing.fit import Sample
from vecsearch.indexing.named_sources import Named
from vecsearch.indexing.open_sources import open_sources
from vecsearch.indexing.plan_build import plan_build
from vecsearch.indexing.read import Reader
from vecsearch.indexing.worklist import Worklist
from vecsearch.types import ListName, UrlPath, absolute_path, source_name, stored_name


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def counts(report: BuildReport) -> dict[str, int]:
    """Return the numbers of a report that are not zero."""
    names = ("added", "changed", "moved", "removed", "unchanged", "skipped")
    return {name: n for name in names if (n := getattr(report.counts, name))}


def paths(index: Path) -> set[str]:
    with vecsearch.open_index(index) as opened:
        return {str(image.path) for image in opened}


def reasons(index: Path) -> dict[str, str]:
    with vecsearch.open_index(index) as opened:
        return {skip.path.name: skip.reason for skip in opened.info().skipped}


def png(seed: int) -> bytes:
    """Draw a picture of 32 x 24 pixels."""
    from PIL import Image

    pixels = np.random.RandomState(seed).randint(0, 255, (24, 32, 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    return out.getvalue()


# Large trees


def test_a_walk_gives_the_paths_in_their_order(tmp_path: Path) -> None:
    names = (
        "a.jpg",
        "a/x.jpg",
        "a/b/y.jpg",
        "a-b/x.jpg",
        "a b.jpg",
        "ab.jpg",
        "a/z.png",
        "é/q.jpg",
    )
    for name in names:
        (tmp_path / "t" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "t" / name).touch()
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "far" / "deep" / "l.jpg").touch()
    (tmp_path / "t" / "a" / "link").symlink_to(tmp_path / "far")
    (tmp_path / "t" / "loop").symlink_to(tmp_path / "t")
    regions = [
        (region, [path for chunk in chunks for path, _, _ in chunk])
        for region, chunks in FolderSource(tmp_path / "t").scan().regions()
    ]
    root = os.fsencode(tmp_path / "t")
    assert regions == [
        (root + b"/", sorted(os.fsencode(tmp_path / "t" / name) for name in names)),
        (root + b"/loop/", []),
        (root + b"/a/link/", [root + b"/a/link/deep/l.jpg"]),
    ]


def test_updates_by_small_stretches_agree_with_a_build_from_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "CHUNK", 2)
    monkeypatch.setattr(planning, "_PAGE", 3)
    outside = tmp_path / "outside"
    draw(outside / "o.png", 90)
    (photos / "more" / "link").symlink_to(outside)
    index = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP).index
    assert len(paths(index)) == 13
    generator = np.random.RandomState(1)
    for _ in range(2):
        for number in generator.choice(30, 8, replace=False):
            path = photos / ("more", "", "more-", "more/link")[number % 4] / f"p{number}.png"
            if path.exists():
                path.unlink()
            else:
                draw(path, int(generator.randint(10**6)))
        (photos / "p4.png").write_bytes(b"broken" + bytes(generator.randint(9)))
        vecsearch.build(index=index)
        anew = vecsearch.build(photos, index=tmp_path / "anew", encoder=CHEAP, options=FRESH).index
        assert paths(index) - {str(photos / "p4.png")} == paths(anew)
        assert counts(vecsearch.build(index=index)) == {
            "unchanged": len(paths(anew)),
            "skipped": 1,
        }


def test_a_nested_source_is_looked_at_once(photos: Path, tmp_path: Path) -> None:
    sources = (photos, photos / "more", photos)
    report = vecsearch.build(*sources, index=tmp_path / "ix", encoder=CHEAP)
    assert counts(report) == {"added": 12}
    draw(photos / ".hidden" / "h.png", 40)
    vecsearch.build(photos / ".hidden", index=report.index)
    (photos / "more" / "p10.jpg").unlink()
    assert counts(vecsearch.build(*sources, index=report.index)) == {"removed": 1, "unchanged": 11}
    assert counts(vecsearch.build(index=report.index)) == {"unchanged": 12}


def test_what_is_found_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 12_000
    for number in range(count):
        path = tmp_path / "t" / f"{number // 100:03d}"
        if number % 100 == 0:
            path.mkdir(parents=True)
        os.close(os.open(path / f"picture-{number:05d}.jpg", os.O_CREAT | os.O_WRONLY))
    monkeypatch.setattr(walking, "CHUNK", 500)
    options = Options()
    with closing(Worklist()) as work:
        tracemalloc.start()
        plan = plan_build(
            open_sources(Named.of([tmp_path / "t"], ()), None, options), None, work, options
        )
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(plan.work) == count
        assert [one.file.path for one in work] == sorted(one.file.path for one in work)
    assert peak_bytes < 1_000_000  # a list of all would take three times that


def test_what_is_compared_is_told_apart() -> None:
    def entry(name: str, time: int = 0) -> FoundFile:
        return FoundFile(name.encode(), 1, time)

    found = [entry(name) for name in ("broken", "changed", "mended", "new", "same")]
    images = [entry("changed", 1), entry("gone"), entry("kept"), entry("mended"), entry("same")]
    skipped = [entry("broken"), entry("mended", 1), entry("nowhere"), entry("unseen")]
    seen = {b"gone", b"nowhere"}
    difference = compare(found, images, skipped, lambda path: path in seen)
    assert difference.new == [entry("new")]
    assert difference.changed == [entry("changed")]
    assert difference.gone == [b"gone"]
    assert sorted(difference.forgotten) == [b"mended", b"nowhere"]
    assert (difference.unchanged, difference.skipped) == (2, 1)
    again = compare(found, images, skipped, lambda path: path in seen, retry_skipped=True)
    assert again.new == [entry("broken"), entry("new")]


def test_a_sample_is_the_same_every_time(photos: Path) -> None:
    def sample() -> list[tuple[int, str]]:
        with closing(Worklist()) as work:
            options = Options()
            plan_build(open_sources(Named.of([photos], ()), None, options), None, work, options)
            read: Iterator[tuple[int, ReadImage]] = Sample(work, Reader(224, 10**8)).read(5)
            return sorted((place, image.file.path.name) for place, image in read)

    assert len({name for _, name in sample()}) == 5
    assert sample() == sample()


# Lists


@pytest.fixture
def listed(photos: Path, tmp_path: Path) -> Path:
    """A list of four pictures, relative to the folder above them, a blank line, a missing one."""
    (photos / "p3.png").rename(photos / ".no ending")
    lines = [
        "photos/p1.png",
        "",
        "  ",
        "photos/p2.png\r",
        "photos/.no ending",
        str(photos / "p0.png"),
    ]
    (tmp_path / "list.txt").write_bytes("\n".join([*lines, "photos/missing.png"]).encode())
    return tmp_path / "list.txt"


def test_a_list_names_pictures(
    listed: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = vecsearch.build(from_list="list.txt", encoder=CHEAP)
    assert report.index == Path("indexes/list")
    index = report.index.absolute()
    assert counts(report) == {"added": 4, "skipped": 1}
    assert reasons(index) == {"missing.png": "No such file or directory"}
    assert {Path(path).name for path in paths(index)} == {
        "p0.png", "p1.png", "p2.png", ".no ending",
    }  # fmt: skip
    with vecsearch.open_index(index) as opened:
        assert [str(source) for source in opened.info().sources] == [f"list:{listed}"]
    monkeypatch.chdir("/")  # what it is relative to is remembered
    assert counts(vecsearch.build(index=index)) == {"unchanged": 4, "skipped": 1}
    listed.write_text("photos/p2.png\nphotos/p4.png\nphotos/p0.png")
    (photos / "p0.png").rename(photos / "away")
    report = vecsearch.build(index=index)
    assert counts(report) == {"added": 1, "removed": 2, "unchanged": 1, "skipped": 1}
    assert str(photos / "p0.png") in paths(index)  # listed, so it may come back
    listed.unlink()
    with pytest.raises(SourceError, match=r"list\.txt is gone, .*--allow-empty"):
        vecsearch.build(index=index)
    assert len(paths(index)) == 3
    vecsearch.build(photos, index=index, options=BuildOptions(allow_empty=True))
    vecsearch.build(index=index, options=BuildOptions(allow_empty=True))
    assert paths(index) == {
        str(path) for path in photos.rglob("*") if path.suffix in (".png", ".jpg")
    }


def test_lists_and_folders_in_one_index(listed: Path, photos: Path, tmp_path: Path) -> None:
    other = draw(tmp_path / "elsewhere" / "o.png", 50)
    second = tmp_path / "second.txt"
    second.write_text(f"{other}\n")
    listed.write_text(f"{photos / 'p1.png'}\n{photos / '.no ending'}\n{other}\n")
    build = partial(vecsearch.build, index=tmp_path / "ix")
    assert counts(build(from_list=[listed, second], encoder=CHEAP)) == {"added": 3}
    assert counts(build(photos / "more")) == {"added": 2}
    assert counts(build(photos)) == {"added": 8, "unchanged": 3}
    assert counts(build()) == {"unchanged": 13}
    listed.write_text(f"{photos / 'p1.png'}\n{photos / '.no ending'}\n")
    assert counts(build(from_list=listed)) == {"unchanged": 3}  # the second list has the other
    listed.write_text(f"nowhere.png\n{photos / 'p1.png'}\n")
    second.write_bytes(b"")
    with pytest.raises(SourceError, match="no images in"):
        vecsearch.build(from_list=second, index=tmp_path / "no", encoder=CHEAP)
    with pytest.raises(SourceError, match=r"second.* has no pictures any more, .*--allow-empty"):
        build(from_list=listed)
    assert counts(build(photos)) == {"unchanged": 11}  # what only lists know stays
    report = build(options=BuildOptions(allow_empty=True))
    assert counts(report) == {"removed": 2, "unchanged": 11, "skipped": 1}


def test_a_list_from_standard_input(photos: Path, tmp_path: Path, run: Run) -> None:
    build = [sys.executable, "-m", "vecsearch.cli.main", "build", "--weights", "random:0",
             "--layer", "block1_conv1", "--precision", "fp32", "--json", "-i", "ix"]  # fmt: skip

    def piped(*names: str, end: str = "\n", code: int = 0) -> dict[str, int]:
        null = ["-0"] if end == "\0" else []
        done = subprocess.run(
            [*build, "--from-list", "-", *null], input=end.join(names), cwd=photos,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return {name: n for name, n in json.loads(done.stdout)["counts"].items() if n}

    (photos / "p1.png").rename(photos / "p\n1.png")
    assert piped("p\n1.png", "p2.png", "p3.png", "", end="\0") == {"added": 3}
    assert piped("p2.png", "p3.png") == {"removed": 1, "unchanged": 2}
    index = photos / "ix"
    with pytest.raises(SourceError, match=r"listed on standard input; .* --from-list -"):
        vecsearch.build(index=index)
    (tmp_path / "list").write_text(str(photos / "p4.png"))
    assert counts(vecsearch.build(index=index, from_list=tmp_path / "list")) == {"added": 1}
    (tmp_path / "list").write_text(str(photos / "p5.png"))
    # Whose the picture is that is no longer in this list cannot be known without the other.
    assert counts(vecsearch.build(index=index)) == {"added": 1}
    assert piped("p2.png") == {"removed": 2, "unchanged": 2}
    with pytest.raises(UsageError, match="name the index"):
        vecsearch.build(from_list="-")


# Tars


def pack(target: Path, members: dict[str, bytes], time: float = 1e9 + 0.5) -> Path:
    """Write a tar."""
    with tarfile.open(target, "w") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), time
            file.addfile(info, io.BytesIO(data))
    return target


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    members = {f"./a/{number}.png": png(number) for number in range(5)}
    unseen = {"._x.png": b"", "notes.txt": b"x", "big.bin": bytes(1 << 20)}
    return pack(
        tmp_path / "shard-1.tar", {**unseen, **members, "a/0.png": png(0), "b.jpg": b"broken"}
    )


def test_a_tar_is_a_folder_of_its_members(
    shard: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = vecsearch.build(shard, encoder=CHEAP)
    assert report.index == Path("indexes/shard-1")
    index = report.index
    assert counts(report) == {"added": 5, "skipped": 1}
    assert paths(index) == {str(shard / "a" / f"{number}.png") for number in range(5)}
    with vecsearch.open_index(index) as opened:
        (image,) = [image for image in opened if image.path.name == "0.png"]
        assert (image.size_bytes, image.mtime_ns) == (len(png(0)), 1_000_000_000_500_000_000)
    # A member is answered from its vector, read when it is new, and drawn.
    (tmp_path / "copy.png").write_bytes(png(3))
    other = pack(tmp_path / "other.tar", {"q.png": png(2)})
    for query, name in (("shard-1.tar/a/3.png", "4"), ("copy.png", "3"), (f"{other}/q.png", "2")):
        with vecsearch.open_index(index) as opened:
            hits = opened.query(query)[0].hits
        assert name == "4" or hits[0].path.stem == name
    done = run("query", "shard-1.tar/a/3.png", "--json", "--sheet", "s.png")
    assert json.loads(done.stdout)[0]["hits"][0]["path"].startswith("shard-1.tar/a/")
    assert (tmp_path / "s.png").stat().st_size > 1000
    assert is_gone(shard / "a" / "9.png")
    assert not is_gone(shard / "a" / "3.png")
    done = run("query", "shard-1.tar/a/9.png", code=1)
    assert "no such member" in done.stderr


def test_only_tars_that_changed_are_opened(
    shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = pack(tmp_path / "shard-2.tar", {"c.png": png(10), "d.png": png(11)})
    index = vecsearch.build(shard, second, index=tmp_path / "ix", encoder=CHEAP).index
    opened: list[Path] = []
    listing = tar._contents_of

    def noting(path: Path, file: io.BufferedReader) -> object:
        opened.append(path)
        return listing(path, file)

    monkeypatch.setattr(tar, "_contents_of", noting)
    assert counts(vecsearch.build(index=index)) == {"unchanged": 7, "skipped": 1}
    assert opened == []
    os.utime(second)
    assert counts(vecsearch.build(index=index)) == {"unchanged": 7, "skipped": 1}
    assert set(opened) == {second}
    pack(second, {"c.png": png(12), "e.png": png(11), "f.png": png(13)}, time=1e9)
    changed = {"added": 1, "changed": 1, "moved": 1, "unchanged": 5, "skipped": 1}
    assert counts(vecsearch.build(index=index)) == changed
    retried = vecsearch.build(index=index, options=BuildOptions(retry_skipped=True))
    assert counts(retried) == {"unchanged": 8, "skipped": 1}
    shard.unlink()
    with pytest.raises(SourceError, match="is gone, and the index has 5 images of it"):
        vecsearch.build(index=index)
    # A folder that has the tar, too, does not take its members for pictures that are gone.
    draw(tmp_path / "p.png", 80)
    assert counts(vecsearch.build(tmp_path, index=index)) == {"added": 1}


def test_an_interrupted_build_of_a_tar_goes_on(
    shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vecsearch.indexing.stage import Stage

    def interrupted(self: Stage) -> None:
        raise KeyboardInterrupt

    draw(tmp_path / "photos" / "p.png", 80)
    there = vecsearch.build(tmp_path / "photos", index=tmp_path / "there", encoder=CHEAP).index
    for index in (tmp_path / "new", there):
        with monkeypatch.context() as patched:
            patched.setattr(Stage, "finish", interrupted)
            patched.setattr(Stage, "embed", lambda *_: None)
            with pytest.raises(KeyboardInterrupt):
                vecsearch.build(shard, index=index, encoder=CHEAP)
        report = vecsearch.build(shard, index=index, encoder=CHEAP)
        assert counts(report) == {"added": 5, "skipped": 1}


def test_a_damaged_tar_deletes_nothing(shard: Path, tmp_path: Path) -> None:
    index = vecsearch.build(shard, index=tmp_path / "ix", encoder=CHEAP).index
    whole = shard.read_bytes()
    place = whole.index(b"./a/3.png")
    for damaged in (
        whole[: place + 1000],
        whole[: place + 100],
        whole[:place],
        whole[:place] + b"x" * 512 + whole[place:],
    ):
        shard.write_bytes(damaged)
        first = counts(vecsearch.build(index=index))
        assert counts(vecsearch.build(index=index)) == first  # and it is not taken for whole
        assert len(paths(index)) == 5
        assert "cut off" in reasons(index)["shard-1.tar"]
    shard.write_bytes(whole)
    assert counts(vecsearch.build(index=index)) == {"unchanged": 5, "skipped": 1}
    assert reasons(index).keys() == {"b.jpg"}


def test_a_listing_that_ends_before_its_tar_deletes_nothing(
    shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some versions of tarfile end at a header that is none."""
    index = vecsearch.build(shard, index=tmp_path / "ix", encoder=CHEAP).index
    following = tarfile.TarFile.next

    def ending(self: tarfile.TarFile) -> tarfile.TarInfo | None:
        info = following(self)
        return None if info is None or info.name == "./a/3.png" else info

    monkeypatch.setattr(tarfile.TarFile, "next", ending)
    os.utime(shard)
    vecsearch.build(index=index)
    assert len(paths(index)) == 5
    assert "is cut off or damaged at byte" in reasons(index)["shard-1.tar"]


def test_a_member_that_is_cut_off_is_not_read(shard: Path) -> None:
    data = shard.read_bytes()
    shard.write_bytes(data[: data.index(png(4)) + 100])
    assert read_content(shard / "a" / "3.png").data == png(3)
    with pytest.raises(OSError, match="the tar is cut off, or changes"):
        TarSource(shard).read(shard / "a" / "4.png")


def test_a_tar_that_changes_while_it_is_read_is_noticed(
    shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fstat, times = os.fstat, iter(range(100))

    def changing(handle: int) -> os.stat_result:
        """Change the tar behind each look at its time."""
        facts = fstat(handle)
        time = next(times)
        os.utime(shard, (time, time))
        return facts

    monkeypatch.setattr(os, "fstat", changing)
    with pytest.raises(OSError, match="the tar is cut off, or changes"):
        TarSource(shard).read(shard / "a" / "3.png")


def test_a_tar_that_was_rewritten_with_the_same_length_is_listed_anew(tmp_path: Path) -> None:
    path = pack(tmp_path / "shard.tar", {"a.png": b"first", "b.png": b"other"})
    size = path.stat().st_size
    assert read_content(path / "a.png").data == b"first"
    pack(path, {"b.png": b"other", "a.png": b"third"})
    os.utime(path, (5, 5))
    assert path.stat().st_size == size
    assert read_content(path / "a.png").data == b"third"


def test_a_link_takes_the_place_of_a_member_before_it(shard: Path, tmp_path: Path) -> None:
    index = vecsearch.build(shard, index=tmp_path / "ix", encoder=CHEAP).index
    with tarfile.open(shard, "a") as file:
        info = tarfile.TarInfo("a/3.png")
        info.type, info.linkname = tarfile.SYMTYPE, "2.png"
        file.addfile(info)
    assert counts(vecsearch.build(index=index))["skipped"] == 2
    assert reasons(index)["3.png"] == "is a link or no regular file in the tar"
    with pytest.raises(FileNotFoundError):
        TarSource(shard).read(shard / "a" / "3.png")


def test_a_compressed_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"")
    with pytest.raises(SourceError, match=r"is compressed, .*; uncompress it"):
        vecsearch.build(tmp_path / "x.tar.gz", index=tmp_path / "ix", encoder=CHEAP)


# URLs


def test_a_url_stays_what_it_is() -> None:
    path = absolute_path("S3://bucket/a b/c#d.jpg")
    assert isinstance(path, UrlPath)
    assert (str(path), path.name, path.stem) == ("s3://bucket/a b/c#d.jpg", "c#d.jpg", "c#d")
    assert absolute_path(path) == path.absolute() == path
    assert [str(parent) for parent in path.parents][:2] == ["s3://bucket/a b", "s3://bucket"]
    assert absolute_path("file:///tmp/x") == Path("/tmp/x")


def test_a_tag_takes_the_place_of_fractions_of_a_second() -> None:
    then = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    facts = {"size": 7, "LastModified": then, "ETag": '"a"'}
    size_bytes, time_ns = url_source._size_and_time(facts)
    assert (size_bytes, time_ns // 10**9) == (7, int(then.timestamp()))
    asked_singly = {"size": 7, "LastModified": then.replace(microsecond=0), "ETag": "a"}
    assert url_source._size_and_time(asked_singly) == (size_bytes, time_ns)
    assert url_source._size_and_time({**facts, "ETag": '"b"'})[1] != time_ns
    assert (
        url_source._size_and_time({"size": 7, "created": then.timestamp()})[1] % 10**9 == 678000000
    )


@pytest.fixture
def memory() -> Iterator[str]:
    """The URL of a folder with three pictures that only this process has."""
    import fsspec

    filesystem = fsspec.filesystem("memory")
    for name in ("a.png", "sub/b.png", "sub/c c.png"):
        filesystem.pipe(f"/pics/{name}", png(ord(name[-5])))
    filesystem.pipe("/pics/.h/x.png", png(0))
    filesystem.pipe("/pics/note.txt", b"")
    yield "memory://pics"
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


def test_what_a_url_holds_is_kept_up_to_date(memory: str, photos: Path, tmp_path: Path) -> None:
    import fsspec

    filesystem = fsspec.filesystem("memory")
    report = vecsearch.build(memory, index=tmp_path / "ix", encoder=CHEAP)
    index = report.index
    assert counts(report) == {"added": 3}
    assert paths(index) == {
        f"memory://pics/{name}" for name in ("a.png", "sub/b.png", "sub/c c.png")
    }
    with vecsearch.open_index(index) as opened:
        assert all(image.mtime_ns > 0 for image in opened)  # as they are listed
    assert counts(vecsearch.build(index=index)) == {"unchanged": 3}
    filesystem.pipe("/pics/a.png", png(1))
    filesystem.mv("/pics/sub/b.png", "/pics/sub/d.png")
    filesystem.pipe("/pics/e.png", b"broken")
    report = vecsearch.build(index=index)
    assert counts(report) == {"changed": 1, "moved": 1, "unchanged": 1, "skipped": 1}
    with vecsearch.open_index(index) as opened:
        assert opened.has_path(absolute_path("memory://pics/a.png"))
        (result,) = opened.query("memory://pics/a.png", options=QueryOptions(include_self=True))
        assert str(result.hits[0].path) == "memory://pics/a.png"
        assert [str(source) for source in opened.info().sources] == [memory]
        from vecsearch.view.sheet import draw_sheet

        draw_sheet(result, tmp_path / "sheet.png")
        from vecsearch.view.text import FORMATS

        for form in FORMATS.values():
            assert "memory://pics/a.png" in form([result])
    assert len(vecsearch.remove("memory://pics/sub", index=index, dry_run=True).removed) == 2
    assert len(vecsearch.remove("memory://pics/*/c*", index=index).removed) == 1
    assert counts(vecsearch.build(index=index)) == {"unchanged": 2, "skipped": 2}
    (tmp_path / "list").write_text("memory://pics/.h/x.png\n")
    assert counts(vecsearch.build(index=index, from_list=tmp_path / "list")) == {"added": 1}
    assert not vecsearch.verify(index).problems
    filesystem.rm("/pics", recursive=True)
    with pytest.raises(SourceError, match=r"memory://pics is gone, .*has \d images.*--allow-empty"):
        vecsearch.build(index=index)


def test_a_url_that_cannot_be_listed_deletes_nothing(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    index = vecsearch.build(memory, index=tmp_path / "ix", encoder=CHEAP).index
    real = MemoryFileSystem.ls

    def failing(self: MemoryFileSystem, path: str, **options: object) -> object:
        if path.endswith("sub"):
            raise ConnectionError("the line\nis dead")
        return real(self, path, **options)

    monkeypatch.setattr(MemoryFileSystem, "ls", failing)
    with pytest.raises(SourceError, match="pics cannot be listed: the line is dead; nothing was"):
        vecsearch.build(index=index)
    assert len(paths(index)) == 3


def test_urls_that_cannot_be_opened_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url_source._filesystem.cache_clear()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    for source, match in (
        ("s3://bucket/x", r"pip install 'vecsearch\[s3\]'"),
        ("nonsense://x", "Protocol not known: nonsense"),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x cannot be listed"),
        ("memory://nowhere", "no such folder: memory://nowhere"),
    ):
        with pytest.raises(SourceError, match=match):
            vecsearch.build(source, index=tmp_path / "ix", encoder=CHEAP)
    assert not (tmp_path / "ix").exists()


def test_pictures_of_a_web_server(photos: Path, tmp_path: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/photos"
        index = vecsearch.build(url, index=tmp_path / "ix", encoder=CHEAP).index
        assert paths(index) == {f"{url}/{path.relative_to(photos)}" for path in photos.rglob("*.*")}
        os.utime(photos / "p1.png", (1, 1))
        assert counts(vecsearch.build(index=index)) == {"unchanged": 12}
        draw(photos / "p1.png", 80)
        assert counts(vecsearch.build(index=index)) == {"changed": 1, "unchanged": 11}
        server.shutdown()
    with pytest.raises(SourceError, match="nothing was changed"):
        vecsearch.build(index=index)
    assert len(paths(index)) == 12


def test_pictures_of_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    url_source._filesystem.cache_clear()
    import s3fs

    s3 = s3fs.S3FileSystem(use_listings_cache=False)
    s3.mkdir("bucket")
    for number in range(4):
        s3.pipe(f"bucket/set/{number % 2}/{number}.png", png(number))
    url = "s3://bucket/set"
    report = vecsearch.build(url, index=tmp_path / "ix", encoder=CHEAP)
    index = report.index
    assert counts(report) == {"added": 4}
    assert f"{url}/1/3.png" in paths(index)
    assert counts(vecsearch.build(index=index)) == {"unchanged": 4}
    s3.pipe("bucket/set/0/0.png", png(50))  # as many bytes or not, in the same second or not
    s3.rm("bucket/set/1/1.png")
    report = vecsearch.build(index=index)
    assert counts(report) == {"changed": 1, "removed": 1, "unchanged": 2}
    with vecsearch.open_index(index) as opened:
        (result,) = opened.query(f"{url}/0/0.png", options=QueryOptions(include_self=True))
        assert str(result.hits[0].path) == f"{url}/0/0.png"
    s3.rm("bucket", recursive=True)
    with pytest.raises(SourceError, match="s3://bucket/set is gone, and the index has 3 images"):
        vecsearch.build(index=index)
    server.stop()
    with pytest.raises(SourceError, match="s3://bucket/set cannot be listed"):
        vecsearch.build(index=index)
    assert len(paths(index)) == 3


@pytest.mark.parametrize(
    "stored",
    [b"list:/a/b.txt", b"list:-", b"list:/a//b", b"list:\xff", b"/a", b"s3://b/a//c", b"li"],
)
def test_the_name_of_a_source_is_stored_as_the_text_it_prints(stored: bytes) -> None:
    name = source_name(stored)
    assert stored_name(name) == stored == os.fsencode(str(name))
    assert isinstance(name, ListName) == stored.startswith(b"list:")
    assert isinstance(name, UrlPath) == (b"://" in stored)
