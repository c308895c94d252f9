"""What is left out by patterns: `build --exclude` and `.vecsearchignore` files."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from samples import CHEAP, Run, draw

import vecsearch
from vecsearch import BuildOptions, SourceError, UsageError
from vecsearch.images.sources.allowed_urls import name_source
from vecsearch.images.sources.exclude import given_patterns
from vecsearch.images.sources.folder import FolderSource
from vecsearch.images.sources.scan import Scan
from vecsearch.images.sources.url import UrlSource
from vecsearch.types import UrlPath


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    names = ["a.png", "b.jpg", "raw/c.png", "raw/deep/d.png", "raw/deep/keep.png", "more/raw/e.png"]
    for seed, name in enumerate(names):
        draw(folder / name, seed)
    return folder


def names_in(index: Path, root: Path) -> set[str]:
    with vecsearch.open_index(index) as opened:
        return {str(image.path.relative_to(root)) for image in opened.vectors()[0]}


def build(
    root: Path,
    index: Path,
    exclude: tuple[str, ...] | None = None,
    *,
    fresh: bool = False,
    allow_empty: bool = False,
) -> vecsearch.BuildReport:
    options = BuildOptions(exclude=exclude, fresh=fresh, allow_empty=allow_empty)
    return vecsearch.build(root, index=index, encoder=CHEAP, options=options)


ALL = {"a.png", "b.jpg", "raw/c.png", "raw/deep/d.png", "raw/deep/keep.png", "more/raw/e.png"}


@pytest.mark.parametrize(
    ("patterns", "out"),
    [
        (("*.jpg",), {"b.jpg"}),
        (("raw",), {one for one in ALL if "raw" in one}),
        (("/raw/",), {one for one in ALL if one.startswith("raw")}),
        (("raw/*",), {one for one in ALL if one.startswith("raw/")}),
        (("raw/**", "!raw/c.png"), {"raw/deep/d.png", "raw/deep/keep.png"}),
        (("deep/*", "!keep.png"), set()),
        (("/raw/deep/*", "!keep.png"), {"raw/deep/d.png"}),
        (("raw/", "!c.png"), {one for one in ALL if "raw" in one}),
        (("**/deep",), {"raw/deep/d.png", "raw/deep/keep.png"}),
        (("a.png/",), set()),
        (("*.png", "!raw/"), {one for one in ALL if one.endswith("png")}),
        (("[ab].*", "#x"), {"a.png", "b.jpg"}),
    ],
)
def test_patterns_are_those_of_a_gitignore(
    patterns: tuple[str, ...], out: set[str], tree: Path
) -> None:
    given = FolderSource(tree).scan(given_patterns(patterns))
    assert found(given, tree) == ALL - out
    written = "\n".join(patterns).replace("#", "\\#")
    (tree / ".vecsearchignore").write_text(f"# a comment\n\n{written}\n")
    assert found(FolderSource(tree).scan(), tree) == ALL - out


def found(scan: Scan, root: Path) -> set[str]:
    paths = [path for _, chunks in scan.regions() for chunk in chunks for path, _, _ in chunk]
    return {os.path.relpath(os.fsdecode(path), root) for path in paths}


def test_patterns_stay_with_the_index_until_they_are_ended(
    tree: Path, tmp_path: Path, run: Run
) -> None:
    index = tmp_path / "index"
    build(tree, index)
    first = run("build", "photos", "-i", index, "--exclude", "raw/", "--exclude", "*.jpg").stdout
    assert "excluded: 1 image and 2 folders by raw/, *.jpg\n" in first
    assert names_in(index, tree) == {"a.png"}
    draw(tree / "raw/new.png", 20)
    kept = run("build", "-i", index).stdout
    assert "raw/, *.jpg (kept from earlier builds; --no-exclude ends that)" in kept
    assert names_in(index, tree) == {"a.png"}
    assert build(tree, index, ("*.jpg",)).exclude == ("*.jpg",)  # in the place of what was kept
    assert names_in(index, tree) == ALL - {"b.jpg"} | {"raw/new.png"}
    assert "(kept" not in run("build", "-i", index, "--no-exclude").stdout
    assert names_in(index, tree) == ALL | {"raw/new.png"}
    assert not build(tree, index).exclude


def test_what_was_excluded_comes_back_with_the_same_vector(tree: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    build(tree, index)
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
    before = {image.path: vector.tobytes() for image, vector in zip(images, vectors, strict=True)}
    assert build(tree, index, ("raw",)).counts.removed == 4
    assert build(tree, index, ()).counts.added == 4
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
    pairs = zip(images, vectors, strict=True)
    assert {image.path: vector.tobytes() for image, vector in pairs} == before


def test_fresh_keeps_the_patterns(tree: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    build(tree, index, ("raw",))
    assert build(tree, index, fresh=True).exclude == ("raw",)
    assert names_in(index, tree) == {"a.png", "b.jpg"}


def test_a_tar_that_is_as_it_was_is_looked_at_again_for_other_patterns(tmp_path: Path) -> None:
    path, index = tmp_path / "shard.tar", tmp_path / "index"
    with tarfile.open(path, "w") as tar:
        for number, name in enumerate(["a.png", "sub/b.png", "sub/deep/c.png"]):
            data = draw(tmp_path / "one.png", number).read_bytes()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        info = tarfile.TarInfo(".vecsearchignore")  # not read: what a tar is, its maker says
        info.size = 2
        tar.addfile(info, io.BytesIO(b"*\n"))
    assert build(path, index).total == 3
    assert build(path, index, ("sub/",)).total == 1
    assert build(path, index).counts.unchanged == 1
    assert build(path, index, ("/sub/*.png",)).total == 2
    assert build(path, index, ()).total == 3


def test_patterns_hold_for_lists(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They begin at the folder that the list's paths are relative to."""
    monkeypatch.chdir(tree)
    outside = draw(tmp_path / "other/x.png", 30)
    (tmp_path / "list").write_text(f"a.png\nraw/c.png\nmore/raw/e.png\n{outside}\n")
    (tree / ".vecsearchignore").write_text("a.png\n")  # a list names its files outright

    def listed(*exclude: str) -> set[str]:
        vecsearch.build(
            index=tmp_path / "index",
            encoder=CHEAP,
            options=BuildOptions(exclude=exclude),
            from_list=tmp_path / "list",
        )
        with vecsearch.open_index(tmp_path / "index") as opened:
            return {image.path.name for image in opened.vectors()[0]}

    assert listed() == {"a.png", "c.png", "e.png", "x.png"}
    assert listed("/raw/") == {"a.png", "e.png", "x.png"}
    assert listed("raw", "x.png") == {"a.png"}
    assert listed(f"{outside}") == {"a.png", "c.png", "e.png"}
    with pytest.raises(SourceError, match="no pictures but what is excluded"):
        listed("*.png")


def test_files_of_patterns_are_nested_and_seen_by_the_next_build(
    tree: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    (tree / ".vecsearchignore").write_text("*.png\n")
    (tree / "raw/deep/.vecsearchignore").write_text("!keep.png\r\n")
    report = build(tree, index)
    assert names_in(index, tree) == {"b.jpg", "raw/deep/keep.png"}
    assert (report.excluded.ignored_pictures, report.excluded.ignore_files) == (4, 2)
    (tree / ".vecsearchignore").write_text("")
    (tree / "raw/.vecsearchignore").write_text("/deep/\n")
    assert build(tree, index).counts.added == 3
    assert names_in(index, tree) == ALL - {"raw/deep/d.png", "raw/deep/keep.png"}
    # What is said for a build counts more.
    build(tree, index, ("!deep/",))
    assert names_in(index, tree) == ALL
    for path in tree.rglob(".vecsearchignore"):
        path.unlink()
    build(tree, index, ())
    assert names_in(index, tree) == ALL


def test_a_linked_folder_is_under_the_patterns_of_the_link_and_its_own(
    tree: Path, tmp_path: Path
) -> None:
    for seed, name in enumerate(["x.png", "y.png", "z.png"]):
        draw(tmp_path / "elsewhere" / name, 40 + seed)
    (tmp_path / "elsewhere/.vecsearchignore").write_text("x.png\n")
    (tree / "more/link").symlink_to(tmp_path / "elsewhere")
    (tree / "more/.vecsearchignore").write_text("link/y.png\n")
    build(tree, tmp_path / "index")
    assert names_in(tmp_path / "index", tree) == ALL | {"more/link/z.png"}
    (tree / "more/.vecsearchignore").write_text("link\n")
    build(tree, tmp_path / "index")
    assert names_in(tmp_path / "index", tree) == ALL


@pytest.mark.parametrize("kind", ["large", "link", "pipe", "pattern", "null"])
def test_a_file_of_patterns_that_cannot_be_used_takes_nothing_in(
    kind: str, tree: Path, tmp_path: Path
) -> None:
    """Else what is to be left out would come in; what was there stays, as for any such folder."""
    index, file = tmp_path / "index", tree / "raw/.vecsearchignore"
    build(tree, index)
    draw(tree / "raw/new.png", 20)
    (tree / "raw/c.png").unlink()
    if kind == "large":
        file.write_bytes(b"x\n" * 40_000)
    elif kind == "link":
        file.symlink_to(draw(tmp_path / "p.png", 1))
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.write_bytes(b"fine\n[a\n" if kind == "pattern" else b"a\0b\n")
    report = build(tree, index)
    assert report.counts.added == report.counts.removed == 0
    with vecsearch.open_index(index) as opened:
        (skip,) = opened.info().skipped
        assert skip.path == tree / "raw"
        assert ".vecsearchignore cannot be used" in skip.reason
        assert opened.info().images == len(ALL)
    file.unlink()
    assert build(tree, index).counts.added == 1
    (tree / ".vecsearchignore").write_text("[a\n")
    with pytest.raises(SourceError, match="line 1 is no pattern"):
        build(tree, index)


def test_names_and_patterns_that_are_no_text(tree: Path, tmp_path: Path) -> None:
    odd = os.fsencode(tree) + b"/odd\xff.png"
    draw(tree / "odd.png", 9).rename(os.fsdecode(odd))
    decomposed = draw(tree / "Ku\u0308che.png", 10)
    (tree / ".vecsearchignore").write_bytes(b"odd\xff.*\nK\xc3\xbcche.png\n")
    build(tree, tmp_path / "index")
    assert names_in(tmp_path / "index", tree) == ALL
    assert decomposed.exists()


def test_slow_patterns_are_quick() -> None:
    """Names and patterns may be made for each other: with 20 stars, years of trying."""
    start = time.monotonic()
    for pattern, path in (
        ("*a" * 40 + "b", b"a" * 255),
        ("**/a/" * 10 + "b", b"a/" * 1900 + b"c"),
        ("a/**/" * 12 + "z*z*z*z*b", b"a/" * 1000 + b"z" * 255),
        ("[ab]*" * 50 + "c", b"a" * 255),
    ):
        assert given_patterns([pattern]).decide(path) is None
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("pattern", ["", " ", "[a", "x\\", "[z-a]", "x" * 5000, "[[:alpha:]]", "!"])
def test_a_bad_pattern_is_wrong_usage(pattern: str, run: Run, tree: Path) -> None:
    with pytest.raises(UsageError, match="is no pattern") as caught:
        BuildOptions(exclude=["fine", pattern])
    assert "\n" not in str(caught.value)
    if len(pattern) < 3:
        done = run("build", "photos", "--exclude", pattern, code=2)
        assert len(done.stderr.splitlines()) == 1


def test_a_source_of_which_all_is_excluded(tree: Path, tmp_path: Path, run: Run) -> None:
    told = run("build", "photos", "-i", "new", "--exclude", "*", code=1).stderr
    assert "no pictures but what is excluded by --exclude '*'" in told
    build(tree, tmp_path / "index", ("*.jpg",))
    with pytest.raises(SourceError, match=r"to drop 5 images of it from the index"):
        build(tree, tmp_path / "index", ("*",))
    assert build(tree, tmp_path / "index").exclude == ("*.jpg",)
    assert build(tree, tmp_path / "index", ("*",), allow_empty=True).total == 0
    (tree / ".vecsearchignore").write_text("*")
    with pytest.raises(SourceError, match=r"excluded by \.vecsearchignore"):
        build(tree, tmp_path / "other")


def test_info_tells_what_is_excluded(tree: Path, tmp_path: Path, run: Run) -> None:
    (tree / "raw/.vecsearchignore").write_text("*.png\n")
    build(tree, tmp_path / "index", ("*.jpg", "deep"))
    text = run("info", "-i", "index").stdout
    assert "1 image and 1 folder by *.jpg, deep; 1 image by 1 .vecsearchignore file" in text
    assert "photos/raw/.vecsearchignore" in text
    facts = json.loads(run("info", "-i", "index", "--json").stdout)
    assert facts["exclude"] == ["*.jpg", "deep"]
    assert facts["excluded"] == {
        "pictures": 1, "folders": 1, "ignored_pictures": 1, "ignored_folders": 0,
        "ignore_files": 1, "ignore_paths": ["photos/raw/.vecsearchignore"],
    }  # fmt: skip


def test_a_pattern_from_elsewhere_than_the_source_is_told(tree: Path, run: Run) -> None:
    build(tree, tree.parent / "index")
    told = run("build", "-i", "index", "--exclude", "photos/raw", "--exclude", "*.gif").stdout
    assert "nothing matches photos/raw: " in told
    assert "nothing matches *.gif" not in told


def test_merge_keeps_what_all_exclude(tree: Path, tmp_path: Path) -> None:
    build(tree / "raw", tmp_path / "one", ("*.gif",))
    build(tree / "more", tmp_path / "two", ("*.gif",))
    vecsearch.merge(tmp_path / "one", tmp_path / "two", index=tmp_path / "both")
    with vecsearch.open_index(tmp_path / "both") as opened:
        assert opened.info().exclude == ("*.gif",)


def test_patterns_hold_for_urls(tree: Path, tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    handler = partial(_Quiet, directory=str(tree.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tree / "more/.vecsearchignore").write_text("*\n")  # not read
        url = f"http://127.0.0.1:{server.server_port}/photos"
        name_source(UrlPath(url))
        scan = UrlSource(UrlPath(url)).scan(
            given_patterns(["/raw/*.png", "deep/*", "!keep.png", "b.*"])
        )
        paths = [path for _, chunks in scan.regions() for chunk in chunks for path, _, _ in chunk]
        server.shutdown()
    found = {os.fsdecode(path).removeprefix(f"{url}/") for path in paths}
    assert found == {"a.png", "raw/deep/d.png", "raw/deep/keep.png", "more/raw/e.png"}
    assert (scan.excluded.pictures, scan.excluded.folders) == (2, 0)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""
