"""The kinds of sources: which one a path means."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vecsearch.errors import SourceError
from vecsearch.images.sources.folder import FolderSource
from vecsearch.images.sources.source import Source
from vecsearch.images.sources.tar import TarSource, is_compressed_tar, is_tar
from vecsearch.types import ListName, SourceName, UrlPath


def source_at(root: Path) -> Source:
    """Return the folder, tar or URL at *root*; raises FileNotFoundError, SourceError."""
    if isinstance(root, UrlPath):
        from vecsearch.images.sources.url import UrlSource

        return UrlSource(root)
    if root.is_file() and is_compressed_tar(root):
        raise SourceError(
            f"{root} is compressed, so its pictures cannot be read one by one",
            hint="uncompress it: compression hardly makes pictures smaller",
            path=root,
        )
    if root.is_file() and is_tar(root):
        return TarSource(root)
    if not root.exists():
        raise FileNotFoundError(root)
    return FolderSource(root)


def local_places(sources: Iterable[SourceName]) -> list[Path]:
    """Return those of some sources that are folders or tars: neither lists nor behind a URL."""
    return [one for one in sources if not isinstance(one, UrlPath | ListName)]
