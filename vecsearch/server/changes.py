"""Changes of an index that is served: each by itself, but one update for all that want the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.errors import UsageError
from vecsearch.files import whole_file
from vecsearch.images.decoders.formats import has_picture_name
from vecsearch.images.decoders.to_rgb import decode_thumbnail
from vecsearch.indexing.build import BuildReport, build
from vecsearch.indexing.build_options import BuildOptions
from vecsearch.maintenance.remove import RemoveReport, remove

_PROBE_PIXELS: Final = 16


@dataclass(frozen=True, slots=True)
class Change:
    """A change: its ``run`` does it, and changes of one ``key`` are all done by the first."""

    run: Callable[[], object]
    key: object = None


def run_changes(changes: Sequence[Change]) -> list[object | BaseException]:
    """Run changes in their order; return what each returned or raised."""
    done: dict[object, object | BaseException] = {}
    answers: list[object | BaseException] = []
    for change in changes:
        key = object() if change.key is None else change.key
        if key not in done:
            try:
                done[key] = change.run()
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                done[key] = error
        answers.append(done[key])
    return answers


def removal(index: Path, image_id: int) -> Change:
    """Return the change that takes an image out of an index; its file stays."""

    def run() -> RemoveReport:
        return remove(f"id:{image_id}", index=index)

    return Change(run)


def update(index: Path, *, allow_empty: bool = False, retry_skipped: bool = False) -> Change:
    """Return the change that brings an index up to date with its sources."""
    options = BuildOptions(allow_empty=allow_empty, retry_skipped=retry_skipped)

    def run() -> BuildReport:
        return build(index=index, options=options)

    return Change(run, (index, allow_empty, retry_skipped))


def write_picture(data: bytes, name: str, folder: Path) -> Path:
    """Write a picture as a new file in *folder*; one that is there already stays as it is.

    Raises UsageError for a name that is no plain file name of a picture, or that another picture
    has; ImageError for bytes that are no picture.
    """
    plain = name.isprintable() and name == Path(name).name and "\\" not in name
    if not plain or name.startswith(".") or not has_picture_name(name.encode()):
        raise UsageError(
            f"a picture cannot be called {name!r:.300}",
            hint="give a file name that ends like a picture's, such as beach.jpg",
        )
    decode_thumbnail(data, _PROBE_PIXELS)
    path = folder / name
    if path.is_file() and path.read_bytes() == data:
        return path
    if path.exists() or path.is_symlink():
        raise UsageError(f"there is another {name}", hint="give another name")
    with whole_file(path) as file:
        file.write(data)
    return path
