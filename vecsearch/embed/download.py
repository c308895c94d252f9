"""A checkpoint by URL: downloaded to a temporary file, its hash checked."""

from __future__ import annotations

import hashlib
import http.client
import logging
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vecsearch.embed.cache import temporary_file, weights_folder
from vecsearch.errors import WeightsError
from vecsearch.types import Progress

_CHUNK_BYTES: Final = 1 << 20
_TIMEOUT_S: Final = 30.0
_LONGEST_S: Final = 4 * 3600.0
_LARGEST_BYTES: Final = 16 << 30
"""The limits of a download: a server may send for ever, or very slowly."""

_logger: Final = logging.getLogger(__name__)


@contextmanager
def fetched(url: str, progress: Progress | None, *, way_without: str) -> Iterator[Path]:
    """Download *url* to a temporary file that is gone afterwards, its hash checked.

    That it is downloaded, and the *way_without*, is logged as a warning before, which Python
    prints on stderr unless told otherwise. Raises WeightsError:
    no network, half a download, another hash.
    """
    expected = _hash_prefix(url)
    folder = weights_folder()
    with temporary_file(folder) as path:
        try:
            found = _download(url, path, progress, way_without)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise WeightsError(
                f"no pretrained weights: there are none in {folder} and {url} "
                f"cannot be downloaded ({reason})",
                hint=f"{way_without}, connect to the network once, or give --weights FILE "
                "(.pth or .safetensors)",
            ) from None
        if not found.startswith(expected):
            raise WeightsError(
                f"{url} is not the expected file: its SHA-256 begins with {found[:8]}, "
                f"not {expected}",
                hint="try again, or give --weights FILE",
            )
        yield path


def stem_of(url: str) -> str:
    """Name the checkpoint in the cache: its file name, hash included, without the ending.

    Raises WeightsError for a URL without a hash.
    """
    _hash_prefix(url)
    return re.sub(r"[^\w-]", "_", url.rpartition("/")[2].rpartition(".")[0])


def _download(url: str, path: Path, progress: Progress | None, way_without: str) -> str:
    digest = hashlib.sha256()
    # The scheme was checked by `load_weights`.
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer, path.open("wb") as file:  # noqa: S310
        total = int(answer.headers.get("Content-Length") or 0)
        size = f"{total / 1e6:.0f} MB" if total else "an unknown number of bytes"
        _logger.warning("downloading %s once (%s); %s", url, size, way_without)
        done, end = 0, time.monotonic() + _LONGEST_S
        while chunk := answer.read1(_CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if done > _LARGEST_BYTES or time.monotonic() > end:
                raise OSError(f"it is longer than {_LARGEST_BYTES >> 30} GiB, or too slow")
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
            f"{url} has no hash in its name",
            hint="the file must be called NAME-HASH.pth, HASH being the start of its SHA-256",
        )
    return match.group(1)
