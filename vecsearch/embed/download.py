"""A checkpoint by URL: downloaded once, its hash checked, the truncated part kept."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecsearch.errors import WeightsError
from vecsearch.types import Progress

_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 30.0
_WAYS_OUT = (
    "connect to the network once, give --weights FILE (.pth or .safetensors), "
    "or try untrained features with --weights random:0"
)


def cache_folder() -> Path:
    """Give the folder for weights and compiled networks: VECSEARCH_CACHE, or the user's cache."""
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


def cached(url: str, part: str) -> Path | None:
    """Find the kept *part* of the checkpoint at *url*, its hash checked; None if there is none.

    Raises WeightsError if the kept file is damaged.
    """
    for path in sorted(_folder().glob(f"{_stem(url)}.{part}.*.safetensors")):
        expected = path.name.split(".")[-2]
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(expected):
            raise WeightsError(
                f"the cached weights {path} are damaged", hint="delete the file", path=path
            )
        return path
    return None


def keep(url: str, part: str, arrays: Mapping[str, npt.NDArray[np.float32]]) -> Path:
    """Keep *arrays* in the cache, the start of the file's own SHA-256 in its name."""
    from safetensors.numpy import save

    data = save(dict(arrays))
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = _folder() / f"{_stem(url)}.{part}.{digest}.safetensors"
    with _temporary(path.parent) as temporary:
        temporary.write_bytes(data)
        temporary.replace(path)
    return path


@contextmanager
def fetched(url: str, progress: Progress | None) -> Iterator[Path]:
    """Download *url* to a temporary file that is gone afterwards, its hash checked.

    Raises WeightsError: no network, half a download, another hash.
    """
    expected = _hash_prefix(url)
    with _temporary(_folder()) as path:
        try:
            found = _download(url, path, progress)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise WeightsError(
                f"no pretrained weights: none are cached in {_folder()} and {url} "
                f"cannot be downloaded ({reason})",
                hint=_WAYS_OUT,
            ) from None
        if not found.startswith(expected):
            raise WeightsError(
                f"{url} is not what it should be: its SHA-256 begins with {found[:8]}, "
                f"not {expected}",
                hint="try again, or give --weights FILE",
            )
        yield path


def _download(url: str, path: Path, progress: Progress | None) -> str:
    digest = hashlib.sha256()
    # The scheme was checked by `load_weights`.
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, path.open("wb") as file:  # noqa: S310
        total = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while chunk := answer.read(_CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if progress:
                progress("downloading weights", done, total)
    if done < total:
        raise urllib.error.ContentTooShortError(
            f"the connection ended after {done} of {total} bytes", (str(path), answer.headers)
        )
    return digest.hexdigest()


def _hash_prefix(url: str) -> str:
    match = re.search(r"-([0-9a-f]{8,64})\.(?:pth|pt)$", url)
    if match is None:
        raise WeightsError(
            f"{url} does not name its hash",
            hint="the file must be called NAME-HASH.pth, HASH being the start of its SHA-256",
        )
    return match.group(1)


def _stem(url: str) -> str:
    """Name the checkpoint in the cache: its file name, hash included, without the ending."""
    _hash_prefix(url)
    return re.sub(r"[^\w-]", "_", url.rpartition("/")[2].rpartition(".")[0])


def _folder() -> Path:
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


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(dir=folder, prefix=".partial-")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
