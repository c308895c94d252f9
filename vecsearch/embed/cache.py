"""The user's cache: weights that were downloaded or converted, and compiled networks."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vecsearch.embed.backbones.backbone import Array
from vecsearch.errors import WeightsError


def cache_folder() -> Path:
    """Return the folder for weights and compiled networks: VECSEARCH_CACHE, or the user's cache."""
    chosen = os.environ.get("VECSEARCH_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    try:
        return platformdirs.user_cache_path("vecsearch", appauthor=False)
    except RuntimeError as error:  # no home
        raise WeightsError(
            f"there is no cache folder ({error})", hint="set VECSEARCH_CACHE to a folder"
        ) from None


def weights_folder() -> Path:
    """Make and return the folder for weights; raises WeightsError."""
    folder = cache_folder() / "weights"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"the cache folder {folder} cannot be made ({error.strerror})",
            hint="set VECSEARCH_CACHE to a folder that can be written",
            path=folder,
        ) from None
    return folder


def cached(stem: str, part: str) -> Path | None:
    """Find the kept *part* of the weights called *stem*, its hash checked; None if there is none.

    Raises WeightsError if the kept file is damaged.
    """
    for path in sorted((cache_folder() / "weights").glob(f"{stem}.{part}.*.safetensors")):
        expected = path.name.split(".")[-2]
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(expected):
            raise WeightsError(
                f"the cached weights {path} are damaged", hint="delete the file", path=path
            )
        return path
    return None


def keep(
    stem: str, part: str, arrays: Mapping[str, Array], metadata: dict[str, str] | None = None
) -> Path:
    """Keep *arrays* in the cache, the start of the file's own SHA-256 in its name."""
    from safetensors.numpy import save

    # What is not contiguous would be written as it lies in memory.
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata)
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = weights_folder() / f"{stem}.{part}.{digest}.safetensors"
    with temporary_file(path.parent) as temporary:
        temporary.write_bytes(data)
        temporary.replace(path)
    return path


@contextmanager
def temporary_file(folder: Path) -> Iterator[Path]:
    """Make a file in *folder* that is gone afterwards, unless it was renamed."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".partial-")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
