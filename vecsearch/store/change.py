"""What is asked of a writer: a change to commit, or a new index to begin."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vecsearch.types import Skipped, Vectors


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the catalog keeps of an image's file."""

    path: Path
    size_bytes: int
    mtime_ns: int
    content_hash: bytes
    width: int
    height: int


@dataclass(slots=True)
class Change:
    """What one commit does to the catalog.

    ``vectors`` (n, d) belong, in order, to ``embedded``: (id of the image whose content changed,
    or None for a new one, and its file). ``refiled`` images keep their vector and get another path
    or time; ``removed`` ones go. ``skipped`` files replace what was known of these paths, and
    ``forgotten`` ones are no longer skipped. ``sources`` are folders scanned for the first time,
    ``gone_sources`` those that are no longer to be scanned, ``stamps`` what to remember of some.
    ``dropped_segments``, by their first rows, have no living row any more.
    """

    embedded: list[tuple[int | None, FileFacts]] = field(default_factory=list)
    vectors: Vectors | None = None
    refiled: list[tuple[int, FileFacts]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    forgotten: list[Path] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)
    gone_sources: list[Path] = field(default_factory=list)
    stamps: dict[Path, str] = field(default_factory=dict)
    dropped_segments: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Tell whether there is anything to commit."""
        return any(
            (
                self.embedded,
                self.refiled,
                self.removed,
                self.skipped,
                self.forgotten,
                self.sources,
                self.gone_sources,
                self.stamps,
                self.dropped_segments,
            )
        )


@dataclass(frozen=True, slots=True)
class NewIndex:
    """What a new index begins with: its encoder, as a description and as files' contents.

    ``agreement`` is what was measured of an int8 encoder, as JSON.
    """

    encoder_json: str
    dim: int
    encoder_xml: bytes
    encoder_bin: bytes
    agreement: str = ""
