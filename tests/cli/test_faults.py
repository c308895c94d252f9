"""What comes from outside ends in a line: odd times, full disks, faults, names of all kinds."""

from __future__ import annotations

import io
import json
import os
import pickle
import pty
import resource
import subprocess
import sys
import tarfile
import tempfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import click
import pytest
import torch
from samples import CHEAP, Run, draw

import vecsearch
from vecsearch import IndexDamagedError, SourceError, UsageError, VecsearchError, WeightsError
from vecsearch.ann import memory_map
from vecsearch.ann.settings import SearchSettings
from vecsearch.cli.main import cli
from vecsearch.embed.checkpoint import read_checkpoint
from vecsearch.once import Once

ESCAPE = "\x1b]0;owned\x07\u202e\u2028\x9b31m"
NO_TEXT = "\udc9b31m"
"""A byte that is a control character in terminals of 8 bits."""


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.mark.parametrize("seconds", [10413792000, 2**34, -1, -62135596800])
def test_a_time_that_cannot_be_kept_ends_no_build(seconds: int, photos: Path, run: Run) -> None:
    try:
        os.utime(photos / "p0.png", (seconds, seconds))
    except (OSError, OverflowError):
        pytest.skip("this file system has no such times")
    report = vecsearch.build(photos, index=photos.parent / "ix", encoder=CHEAP)
    assert report.total == 12
    assert vecsearch.build(index=photos.parent / "ix").counts.added == 0
    with vecsearch.open_index(photos.parent / "ix") as index:
        assert len(index.query(photos / "p0.png", k=3)[0].hits) == 3
    assert run("plan", photos, "--no-calibrate", "--json").stdout


def member(name: str, data: bytes, **headers: str) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info = tarfile.TarInfo(name)
    info.size, info.pax_headers = len(data), headers
    return info, io.BytesIO(data)


@pytest.mark.parametrize("time", ["nan", "inf", "-inf", "1e400", "99999999999999999999", "odd"])
def test_times_in_a_tar_may_be_anything(time: str, photos: Path, tmp_path: Path) -> None:
    data = (photos / "p1.png").read_bytes()
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("a.png", "b.png"):
            tar.addfile(*member(name, data, mtime=time))
    index = tmp_path / "ix"
    assert vecsearch.build(tmp_path / "x.tar", index=index, encoder=CHEAP).total == 2
    assert vecsearch.build(index=index).counts.added == 0


def test_before_an_odd_member_a_tar_is_read(photos: Path, tmp_path: Path) -> None:
    data = (photos / "p1.png").read_bytes()
    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(*member("a.png", data))
        tar.addfile(*member("b.png", data, **sparse))
    report = vecsearch.build(tmp_path / "x.tar", index=tmp_path / "ix", encoder=CHEAP)
    assert report.total == 1


@pytest.mark.parametrize("recipe", ["IDMap,Flat", "PCA8,IDMap,Flat", "IDMap2,Flat"])
def test_a_recipe_with_ids_of_its_own_is_refused(recipe: str, index: Path) -> None:
    with pytest.raises(UsageError, match="leave IDMap out"):
        vecsearch.reindex(index, recipe=recipe)


@pytest.mark.parametrize(
    "recipe",
    [
        "HNSW1",
        "IVF4_HNSW1,Flat",
        "NSG2",
        "IMI2x16,Flat",
        "HNSW0",
        "IVF0,Flat",
        "IVF1000000000,Flat",
        "HNSW-1",
        "",
        "x" * 100_000,
        "PCA8," * 100 + "Flat",
        "Fla\u0442",
        "IVF\u0664,Flat",
        "Flat\0",
        "\n",
    ],
)
def test_a_recipe_that_is_none_is_refused(recipe: str, index: Path) -> None:
    with pytest.raises(UsageError) as raised:
        vecsearch.reindex(index, recipe=recipe)
    assert len(str(raised.value)) < 1000
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"root:x:0:0\n" * 40, b"\x80\x02", b"PK\3\4" + bytes(99)])
def test_any_file_as_weights_is_refused_in_a_line(
    content: bytes, photos: Path, tmp_path: Path
) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as raised:
        vecsearch.build(
            photos, index=tmp_path / "ix", encoder=vecsearch.EncoderConfig(weights=str(path))
        )
    assert "\n" not in str(raised.value)


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def saved(state: object, *, as_zip: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=as_zip)
    return file.getvalue()


def weights_refused(path: Path, content: bytes) -> str:
    """Return the reason why *content* is no weights, which is found at once and in a line."""
    path.write_bytes(content)
    with pytest.raises(WeightsError) as raised:
        read_checkpoint(path, {"w": (2, 3)}, "VGG19")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_weights_run_nothing_and_fill_no_memory(tmp_path: Path) -> None:
    path, owned = tmp_path / "w.pth", tmp_path / "owned"
    evil = [saved(Evil(owned)), saved(Evil(owned), as_zip=False), pickle.dumps(Evil(owned), 2)]
    for content in evil:
        assert "could run code" in weights_refused(path, content)
    assert not owned.exists()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(64 << 20))
    assert "in it is compressed" in weights_refused(path, path.read_bytes())
    # torch looks for words in the name of what it refuses, for hours.
    odd = b"\x80\x02c" + b"a" * 1_000_000 + b"\nb\n."
    assert "a name or text of 1,000,002 characters" in weights_refused(path, odd)
    assert "has no w" in weights_refused(
        path, saved({"w": torch.zeros(2, 3, dtype=torch.complex64)})
    )
    with warnings.catch_warnings(action="ignore"):  # they are in prototype stage
        nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    assert "has no w" in weights_refused(path, saved({"w": nested}))


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", ".", "/dev/zero"])
def test_what_is_no_file_is_no_weights(name: str, photos: Path) -> None:
    with pytest.raises(VecsearchError, match=r"no weights file|null character"):
        vecsearch.build(photos, encoder=vecsearch.EncoderConfig(weights=name))


def test_a_header_of_a_tar_is_not_read_whole(tmp_path: Path) -> None:
    """It tells of a gigabyte, and the tar, which is sparse, has it."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    path = tmp_path / "x.tar"
    with path.open("wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(2 << 30)
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match="no images"):
            vecsearch.build(path, index=tmp_path / "ix", encoder=CHEAP)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("recall", ["9" * 400, "1e999", "NaN", "[" * 100_000])
def test_numbers_and_nesting_in_a_catalog(recall: str) -> None:
    with pytest.raises(IndexDamagedError) as raised:
        SearchSettings.from_json(f'{{"recall": {recall}}}')
    assert "\n" not in str(raised.value)


def test_names_with_line_ends_are_part_of_one_line() -> None:
    assert str(SourceError("a\nb\u2028c.png", hint="d\re")) == r"a\nb\u2028c.png; d\re"


@pytest.mark.parametrize(
    "arguments",
    [
        ("viz", "--perplexity", "nan"),
        ("query", "id:1", "--threshold", "nan"),
        ("recommend", "--threshold", "nan"),
        ("duplicates", "--threshold", "nan"),
        ("tune", "--recall", "nan"),
        ("build", "photos", "--max-megapixels", "nan"),
        ("build", "photos", "--commit-seconds", "nan"),
        ("build", ""),
    ],
)
def test_what_is_no_number_or_no_source_is_wrong_usage(
    arguments: tuple[str, ...], index: Path, run: Run
) -> None:
    error = run(*arguments, "-i", index, code=2).stderr
    assert "Traceback" not in error
    assert len(error.splitlines()) <= 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "l.jpg", "-i", "index"),
        ("query", "id:1", "--sheet", "l.png/x.png", "-i", "index"),
        ("query", "id:1", "--copy-to", "l.png", "-i", "index"),
        ("query", "id:1", "--under", "l.png", "-i", "index"),
        ("query", "id:1", "-i", "l.png"),
        ("merge", "index", "-i", "l.png"),
        ("merge", "l.png", "-i", "merged"),
        ("duplicates", "--move-to", "l.png", "-i", "index"),
        ("duplicates", "--undo", "l.png", "-i", "index"),
        ("build", "l.png/..", "-i", "new"),
        ("relocate", "photos", "l.png", "-i", "index"),
        ("eval", "--labels", "l.png", "-i", "index"),
    ],
)
def test_a_loop_of_links_is_one_line(
    arguments: tuple[str, ...], index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(index.parent)
    for name in ("l.jpg", "l.png"):
        Path(name).symlink_to(name)
    with pytest.raises((VecsearchError, click.ClickException)) as raised:
        cli.main(list(arguments), standalone_mode=False)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("command", ["export", "viz", "query"])
def test_what_is_no_file_is_not_replaced_by_one(
    command: str, index: Path, tmp_path: Path, run: Run
) -> None:
    """As /dev/null would be, where who writes may."""
    pipe = tmp_path / "pipe.npy" if command == "export" else tmp_path / "pipe.png"
    os.mkfifo(pipe)
    arguments = {
        "export": ["export", "-o", pipe], "viz": ["viz", "-o", pipe],
        "query": ["query", "id:1", "--sheet", pipe],
    }  # fmt: skip
    error = run(*arguments[command], "-i", index, code=1).stderr
    assert error == f"vecsearch: cannot write {pipe.name}: it is not a file\n"
    assert pipe.is_fifo()


def test_a_search_without_a_temporary_folder_is_one_line(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vecsearch.build(draw(tmp_path / "photos" / "new.png", 50).parent, index=index)
    monkeypatch.setattr("vecsearch.search.index_reader._FEW_VALUES", 0)
    monkeypatch.setattr(memory_map, "_owner", Once(memory_map._make_owner))
    with vecsearch.open_index(index) as opened:
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
            with pytest.raises(VecsearchError, match="set TMPDIR to another folder"):
                opened.query("id:1")
        assert opened.query("id:1")[0].hits


def test_a_full_disk_is_one_line_and_the_next_build_is_whole(photos: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [sys.executable, "-m", "vecsearch.cli.main", "build", photos]
    command += ["-i", tmp_path / "ix", "--weights", "random:0", "--layer", "block1_conv1"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP).total == 12


def test_a_fault_of_ours_asks_for_a_report(index: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from vecsearch.cli import info, main
def broken(*_, **__): raise AssertionError("the {ESCAPE!r} case")
info.open_queryable = broken
sys.argv = ["vecsearch", "info", "-i", {str(index)!r}]
main.main()
"""

    def ask(**variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "TMPDIR": str(tmp_path / "reports"), **variables}
        (tmp_path / "reports").mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    done = ask(SECRET="in the environment")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "please report it with" in done.stderr
    (report,) = (tmp_path / "reports").iterdir()
    text = report.read_text()
    assert "AssertionError" in text
    assert "'info'" in text
    assert "SECRET" not in text
    assert "in the environment" not in text
    assert "Traceback" in ask(VECSEARCH_DEBUG="1").stderr


def on_a_terminal(*arguments: str | Path) -> bytes:
    """Run the command with a terminal for its output and errors; give what it wrote."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover
        command = [sys.executable, "-m", "vecsearch.cli.main", *map(str, arguments)]
        os.execv(command[0], command)
    written = b""
    while True:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:
            break
        if not data:
            break
        written += data
    os.waitpid(child, 0)
    os.close(terminal)
    return written


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_names_never_control_a_terminal(tmp_path: Path, run: Run) -> None:
    folder, index = tmp_path / f"p{ESCAPE}", tmp_path / "ix"
    for number in range(3):
        draw(folder / f"a{ESCAPE}{NO_TEXT if number else ''}{number}.png", number)
    (folder / f"bad{ESCAPE}.png").write_bytes(b"no picture")
    vecsearch.build(folder, index=index, encoder=CHEAP)
    for arguments in (
        ("build", folder, "-i", index),
        ("info", "-i", index),
        ("query", "id:1", "-i", index),
        *(("query", "id:1", "-i", index, "--format", form) for form in ("paths", "csv", "json")),
        ("query", "id:1", "id:2", "-i", index, "--format", "jsonl"),
        ("query", "id:1", "-i", index, "--preview"),
        ("query", f"gone{ESCAPE}{NO_TEXT}.png", "-i", index),
        ("query", "id:1", "--format", f"odd{ESCAPE}{NO_TEXT}", "-i", index),
        ("duplicates", "-i", index, "--threshold", "0.1", "--format", "paths"),
        ("verify", "-i", tmp_path / f"no{ESCAPE}"),
        ("viz", "-i", index, "-o", tmp_path / f"m{ESCAPE}.png"),
        ("viz", "-i", index, "--method", "pca", "--save-coordinates", tmp_path / f"c{ESCAPE}.csv"),
        ("recommend", "-i", index, "--no-sheets", "--json"),
        ("info", "id:1", "-i", index, "--json"),
        ("remove", "-i", index, f"gone{ESCAPE}"),
        (f"odd{ESCAPE}{NO_TEXT}",),
    ):
        written = on_a_terminal(*arguments)
        assert written
        assert b"\x1b]0;owned" not in written, arguments
        assert not set("\x07\u202e\u2028\x9b\udc9b") & set(os.fsdecode(written)), arguments
    only = ("query", "id:2", "-i", index, "--glob", "*0.png")
    assert ESCAPE in run(*only, "--format", "paths").stdout
    (line,) = run(*only, "--format", "jsonl").stdout.splitlines()
    assert ESCAPE in json.loads(line)["hits"][0]["path"]
