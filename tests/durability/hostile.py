"""A folder of pictures as bad as file systems and people make them, and what an index of it holds.

Every doing changes the folder and, in `Tree.expected`, what the next build must make of it.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final
from unittest import mock

import numpy as np
from PIL import Image as Pillow

from durability.stub import SPEC, vector_of
from vecsearch.images.decoders.to_rgb import decode, preprocess

NAMES: Final = (
    *(b"\xff\xfe.png", b"new\nline.png", b"tab\t.png", b" .png", b"-rf.png", b"*.png", b"[a].png"),
    *("e\u0301.png".encode(), "\u00e9.png".encode(), "\u202e.png".encode(), b"id:5.png"),
    *(b"%s%d.png", b"a'b\".png", b"UPPER.PNG", b"a.b.c.JPG", b"\\.png", b"$(x).png", b"~.png"),
    *(b"x" * 251 + b".png", b"catalog.sqlite.png", b"000001.faiss.png", b"con.png", b"\x7f.png"),
    *(b"\x1b[31mred\x1b]0;x\x07.png", b"a\rb.png", b"\x9b2J.png", b"\xc2\x9b2J.png", b"\b.png"),
    *(b"=1+1.png", b"+1.png", b"@SUM(A1).png", b"-1+1.png", b"a,b;c|d.png"),
    *("\u2066\u2028\u200b.png".encode(), b"\xed\xa0\x80.png", b"<img src=x onerror=a>.png"),
)
"""Names that some program or other stumbles over."""

UNSEEN: Final = (
    *(b".hidden.png", b".png", b"..png", b"...png.png", b"picture.txt", b"picture", b"a.png~"),
    *(b"png", b"catalog.sqlite", b"000001.f16", b"000001.faiss", b"writer.lock", b"next.sqlite"),
)
"""Names that are not those of pictures."""

TIMES_S: Final = (10**10, 2**33, 9223372037, -1, -(2**31), -9223372037, 0)
"""Dates that a file may have, of the year 2286 and others: some beyond what is kept."""

_ONE_S: Final = 10**9


class Tree:
    """A hostile folder; ``expected`` maps paths to the bytes of vectors."""

    def __init__(self, folder: Path, random: np.random.RandomState) -> None:
        self.root = folder / "tree"
        self.outside = folder / "outside"
        self.random = random
        self.expected: dict[Path, bytes] = {}
        # Pictures that the last build saw and that nothing was done to since; folders of two.
        self.plain: list[Path] = []
        self.groups: list[Path] = []
        self.denied: set[bytes] = set()
        self.when_opened: dict[bytes, Callable[[], object]] = {}
        self.when_read: dict[bytes, Callable[[], object]] = {}
        self._later: list[Callable[[], object]] = []
        self._numbers = count(1)
        self.root.mkdir()
        self.outside.mkdir()

    def grow(self) -> None:
        """Do one bad thing that adds to the tree."""
        self._one_of(
            self.add, self.add, self.add_group, self.add_group, self.add_odd_name,
            self.add_unusable, self.add_unseen, self.add_links, self.add_loop, self.add_deep,
            self.add_denied, self.add_copy, self.add_odd_date,
        )  # fmt: skip

    def alter(self) -> None:
        """Do one bad thing to what is there."""
        self._one_of(
            self.change, self.delete, self.move, self.rename_case, self.swap, self.spoil,
            self.deny_changed, self.replace_by_folder, self.vanish_when_read, self.change_when_read,
            self.keep_changing, self.delete_group, self.deny_group, self.vanish_when_scanned,
            self.replace_group_by_link, self.move_group, self.touch,
        )  # fmt: skip

    @contextmanager
    def hostility(self) -> Iterator[None]:
        """Refuse what is denied and let the surprises happen; root could open anything else."""
        real_open, real_scandir, real_fstat = os.open, os.scandir, os.fstat

        def before(path: Any) -> None:
            name = os.fsencode(path) if isinstance(path, str | bytes | os.PathLike) else b""
            if surprise := self.when_opened.pop(name, None):
                surprise()
            if name in self.denied:
                raise PermissionError(13, "Permission denied", path)

        def scandir(path: Any = ".") -> Any:
            before(path)
            return real_scandir(path)

        def open_(path: Any, *arguments: Any, **named: Any) -> int:
            before(path)
            return real_open(path, *arguments, **named)

        def fstat(handle: int) -> os.stat_result:
            facts = real_fstat(handle)
            path = Path(f"/proc/self/fd/{handle}").readlink()
            if surprise := self.when_read.get(os.fsencode(path)):
                surprise()
            return facts

        with (
            mock.patch("os.open", open_),
            mock.patch("os.scandir", scandir),
            mock.patch("os.fstat", fstat),
        ):
            yield

    def settle(self) -> None:
        """End what lasts for one build, denials and surprises; what it saw may be altered now."""
        self.denied.clear()
        self.when_opened.clear()
        self.when_read.clear()
        for doing in self._later:
            doing()
        self._later.clear()

    # What adds to the tree

    def add(self) -> None:
        self._release(self._save(self._new_folder() / f"{self._number()}.png"))

    def add_group(self) -> None:
        group = self._new_folder() / f"group{self._number()}"
        for name in ("a.png", "b.png"):
            self._save(group / name)
        self._later.append(lambda: self.groups.append(group))

    def add_odd_date(self) -> None:
        path = self._save(self._new_folder() / f"date{self._number()}.png")
        seconds = TIMES_S[self.random.randint(len(TIMES_S))]
        with contextlib.suppress(OSError):  # not every file system keeps it
            os.utime(path, ns=(0, seconds * _ONE_S + 1))
        self._release(path)

    def add_odd_name(self) -> None:
        name = os.fsdecode(NAMES[self.random.randint(len(NAMES))])
        self._release(self._save(self._new_folder() / str(self._number()) / name))

    def add_unusable(self) -> None:
        path = self._new_folder() / f"bad{self._number()}.png"
        kind = self.random.randint(6)
        if kind == 0:
            os.mkfifo(path)
        elif kind == 1:
            os.mknod(path, stat.S_IFSOCK | 0o600)
        elif kind == 2:
            path.symlink_to("nowhere.png")
        elif kind == 3:
            path.symlink_to(path.name)
        else:
            path.write_bytes((b"", b"no picture\n")[kind - 4])

    def add_unseen(self) -> None:
        folder = self._new_folder() / str(self._number())
        folder.mkdir()
        name = os.fsdecode(UNSEEN[self.random.randint(len(UNSEEN))])
        (folder / name).write_bytes(_picture(self._number()))
        (folder / ".hidden").mkdir()
        (folder / ".hidden" / "a.png").write_bytes(_picture(self._number()))

    def add_links(self) -> None:
        """Link to a picture, to a folder outside, and to one inside, which is known already."""
        here = self._new_folder()
        target = self.outside / str(self._number())
        self._save(target / "a.png", seen_as=here / f"link{target.name}" / "a.png")
        (here / f"link{target.name}").symlink_to(target, target_is_directory=True)
        self._save(target / "b.png", seen_as=here / f"link{target.name}" / "b.png")
        (here / f"file{target.name}.png").symlink_to(target / "b.png")
        seen = self.expected[here / f"link{target.name}" / "b.png"]
        self.expected[here / f"file{target.name}.png"] = seen
        (here / f"inside{target.name}").symlink_to(self.root, target_is_directory=True)

    def add_loop(self) -> None:
        folder = self._new_folder() / f"loop{self._number()}"
        self._save(folder / "a.png")
        (folder / "up").symlink_to("..", target_is_directory=True)
        (folder / "self").symlink_to("self")
        (folder / "there").symlink_to("back")
        (folder / "back").symlink_to("there")

    def add_deep(self) -> None:
        """Nest folders, now and then deeper than a path can say."""
        levels = int(self.random.choice([30, 60, 90]))
        handle = os.open(self.root, os.O_RDONLY)
        path, top = self.root, f"deep{self._number()}"
        for level in range(levels):
            name = top if level == 0 else "d" * 50
            path = path / name
            os.mkdir(name, dir_fd=handle)
            inner = os.open(name, os.O_RDONLY, dir_fd=handle)
            os.close(handle)
            handle = inner
        os.close(handle)
        if len(os.fsencode(path)) < 4000:
            self._save(path / "a.png")

    def add_denied(self) -> None:
        path = self._save(self._new_folder() / f"denied{self._number()}.png")
        vector = self.expected.pop(path)
        self._deny(path, lambda: self.expected.update({path: vector}))

    def add_copy(self) -> None:
        path = self._choose()
        copy = self._new_folder() / f"copy{self._number()}.png"
        (shutil.copy, shutil.copy2, os.link)[self.random.randint(3)](path, copy)
        self.expected[copy] = self.expected[path]

    # What is done to pictures

    def change(self) -> None:
        self._release(self._save(self._choose()))

    def touch(self) -> None:
        path = self._choose()
        self._new_time(path)
        self._release(path)

    def delete(self) -> None:
        self._forget(self._choose()).unlink()

    def move(self) -> None:
        self._move(self._choose(), self._new_folder() / f"moved{self._number()}.png")

    def rename_case(self) -> None:
        path = self._choose()
        target = path.with_name(path.name.swapcase())
        if target.suffix.lower() == ".png" and not target.exists():
            self._move(path, target)

    def swap(self) -> None:
        one, other = self._choose(), self._choose()
        aside = self.outside / "aside"
        one.rename(aside)
        other.rename(one)
        aside.rename(other)
        both = self.expected[other], self.expected[one]
        self.expected[one], self.expected[other] = both

    def spoil(self) -> None:
        """Overwrite a picture by what is none; the index keeps what it had of it."""
        path = self._choose()
        path.write_bytes(b"spoilt" * self.random.randint(2))
        self._new_time(path)

    def deny_changed(self) -> None:
        """Change a picture and deny it; the index keeps what it had of it until it may be read."""
        path = self._choose()
        before = self.expected[path]
        self._save(path)
        after, self.expected[path] = self.expected[path], before
        self._deny(path, lambda: self.expected.update({path: after}))

    def replace_by_folder(self) -> None:
        path = self._forget(self._choose())
        path.unlink()
        self._save(path / "inner.png")

    def vanish_when_read(self) -> None:
        """Change a picture and delete it as it is read: what the index had goes a build later."""
        path = self._choose()
        before = self.expected[path]
        self._save(path)
        self.expected[path] = before
        self.when_opened[os.fsencode(path)] = lambda: path.unlink(missing_ok=True)
        self._later.append(lambda: self._forget(path))

    def change_when_read(self) -> None:
        path = self._choose()
        self._save(path)
        data = _picture(self._number())
        self.expected[path] = _vector(data)

        def rewrite() -> None:
            del self.when_read[os.fsencode(path)]
            self._write(path, data)

        self.when_read[os.fsencode(path)] = rewrite
        self._release(path)

    def keep_changing(self) -> None:
        """Change a picture whenever it is read; what is known of it stays until it settles."""
        path = self._choose()

        def rewrite() -> None:
            self._write(path, _picture(self._number()))

        rewrite()
        self.when_read[os.fsencode(path)] = rewrite
        self._later.append(lambda: self.expected.update({path: _vector(path.read_bytes())}))

    # What is done to folders

    def delete_group(self) -> None:
        shutil.rmtree(self._forget(self._choose_group()))

    def deny_group(self) -> None:
        group = self._choose_group()
        kept = dict(self.expected)
        (group / "a.png").unlink()
        self._save(group / "c.png")
        after, self.expected = self.expected, kept
        del after[group / "a.png"]
        there = {path: vector for path, vector in after.items() if path.parent == group}

        def allow() -> None:
            self._forget(group)
            self.expected.update(there)

        self._deny(group, allow)

    def vanish_when_scanned(self) -> None:
        """Delete a folder while the scan is at it: its pictures go a build later."""
        group = self._choose_group()
        self.when_opened[os.fsencode(group)] = lambda: shutil.rmtree(group)
        self._later.append(lambda: self._forget(group))

    def replace_group_by_link(self) -> None:
        group = self._choose_group()
        target = self.outside / f"moved{self._number()}"
        group.rename(target)
        group.symlink_to(target, target_is_directory=True)

    def move_group(self) -> None:
        group = self._choose_group()
        target = self.root / f"moved group{self._number()}"
        group.rename(target)
        for name in ("a.png", "b.png"):
            self.expected[target / name] = self.expected.pop(group / name)

    # The means

    def _one_of(self, *doings: Callable[[], None]) -> None:
        doing = doings[self.random.randint(len(doings))]
        try:
            doing()
        except LookupError:  # nothing is left that this could be done to
            self.add()

    def _number(self) -> int:
        return next(self._numbers)

    def _choose(self) -> Path:
        return self.plain.pop(self.random.randint(max(1, len(self.plain))))

    def _choose_group(self) -> Path:
        return self.groups.pop(self.random.randint(max(1, len(self.groups))))

    def _release(self, path: Path) -> None:
        """Let *path* be chosen again after the next build."""
        self._later.append(lambda: self.plain.append(path))

    def _new_folder(self) -> Path:
        folder = self.root / ("", "sub", "sub/sub", "dir.png", "vectors")[self.random.randint(5)]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _save(self, path: Path, seen_as: Path | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = _picture(self._number())
        self._write(path, data)
        self.expected[seen_as or path] = _vector(data)
        return path

    def _write(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)
        self._new_time(path)

    def _new_time(self, path: Path) -> None:
        time_ns = self._number() * _ONE_S  # two writes within a tick would bear one time
        os.utime(path, ns=(time_ns, time_ns))

    def _move(self, path: Path, target: Path) -> None:
        path.rename(target)
        self.expected[target] = self.expected.pop(path)
        self._release(target)

    def _forget(self, path: Path) -> Path:
        for known in [one for one in self.expected if one == path or path in one.parents]:
            del self.expected[known]
        return path

    def _deny(self, path: Path, later: Callable[[], None]) -> None:
        self.denied.add(os.fsencode(path))
        self._later.append(later)


def _picture(seed: int) -> bytes:
    pixels = np.random.RandomState(seed).randint(0, 256, (5, 4, 3)).astype(np.uint8)
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _vector(data: bytes) -> bytes:
    """Return the bytes of the vector that an index should have of a picture."""
    vector = vector_of(preprocess(decode(data)[0], SPEC.image_size))
    return vector.astype(np.float16).astype(np.float32).tobytes()
