"""Files that may not be read or written are named, and nothing is called damaged for it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's capabilities")

_DROP, _OVERRIDES = 24, (1, 2, 3)  # PR_CAPBSET_DROP; DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER

Denied = Callable[..., str]


def _be_nobody_special() -> None:
    """Let root, once it runs another program, be held to the modes of files as others are."""
    if os.geteuid() == 0:
        for capability in _OVERRIDES:
            ctypes.CDLL(None).prctl(_DROP, capability, 0, 0, 0)


@pytest.fixture
def denied(tmp_path: Path) -> Denied:
    """Run a command while a file or folder has another mode; return what it said, and its code."""

    def denied(path: Path, mode: int, *arguments: str | Path) -> str:
        before = path.stat().st_mode
        path.chmod(mode)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "vecsearch", *map(str, arguments)],
                cwd=tmp_path, capture_output=True, text=True, check=False,
                preexec_fn=_be_nobody_special,
            )  # fmt: skip
        finally:
            path.chmod(before)
        assert done.returncode == 1, done
        return done.stdout + done.stderr

    return denied


def refuses(said: str, path: Path, tmp_path: Path) -> None:
    """Check that a path is named with the reason, and nothing is said of damage."""
    assert "ermission denied" in said
    assert str(path.relative_to(tmp_path)) in said
    assert "damaged;" not in said
    assert "interrupted" not in said


def test_an_index_that_may_not_be_read(index: Path, photos: Path, denied: Denied) -> None:
    folder = index.parent
    catalog, vectors = index / "catalog.sqlite", next(index.glob("vectors/*"))
    network = next(index.glob("encoder/*.xml"))
    new = photos.parent / "new.png"
    new.write_bytes((photos / "p1.png").read_bytes()[:-1] + b"\0")
    refuses(denied(index, 0, "query", "id:1", "-i", index), index, folder)
    refuses(denied(catalog, 0, "query", "id:1", "-i", index), catalog, folder)
    refuses(denied(vectors, 0, "query", "id:1", "-i", index), vectors, folder)
    refuses(denied(network, 0, "query", new, "-i", index), network, folder)
    refuses(denied(new, 0, "query", new, "-i", index), new, folder)


def test_verify_and_repair_call_nothing_damaged(index: Path, denied: Denied) -> None:
    for path in (next(index.glob(name)) for name in ("vectors/*.f16", "encoder/*.bin")):
        said = denied(path, 0, "verify", "-i", index)
        refuses(said, path, index.parent)
        assert "not known to be damaged, but 1 file cannot be read" in said
    base = next(index.glob("ann/*.faiss"))
    said = denied(base, 0, "repair", "-i", index)
    refuses(said, base, index.parent)
    assert "nothing was mended" in said
    assert base.exists()
    refuses(denied(index / "vectors", 0, "verify", "-i", index), index / "vectors", index.parent)
    refuses(denied(index, 0, "verify", "-i", index), index, index.parent)


def test_what_may_not_be_written(index: Path, photos: Path, denied: Denied) -> None:
    folder, catalog = index.parent, index / "catalog.sqlite"
    refuses(denied(index, 0o555, "remove", "id:1", "-i", index), index, folder)
    refuses(denied(catalog, 0o444, "remove", "id:1", "-i", index), catalog, folder)
    out = folder / "out"
    out.mkdir()
    ask = ["query", "id:1", "-i", index]
    for option, name, mode in (("--sheet", "x.png", 0), ("--copy-to", "x", 0o555)):
        refuses(denied(out, mode, *ask, option, out / name), out / name, folder)
    assert not list(out.iterdir())


def test_pictures_that_may_not_be_read(index: Path, photos: Path, denied: Denied) -> None:
    folder = index.parent
    refuses(denied(photos, 0, "build", photos, "-i", index), photos, folder)
    ask = ["query", "id:1", "-i", index, "-k", "20", "--copy-to", "hits"]
    picture = photos / "p3.png"
    refuses(denied(picture, 0, *ask), picture, folder)
