"""What is asked of a writer: a change to commit, a compaction, or a new index to begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vecsearch.store.segments import Segment
from vecsearch.store.write_once import Write
from vecsearch.types import Float16Vectors, ImageFile, Skipped, SourceName, Vectors

REMOVED: Final = "removed with vecsearch remove"
"""The reason for which content that a user removed is skipped."""


@dataclass(slots=True)
class Change:
    """What one commit does to the catalog.

    ``vectors`` (n, d), float32 or float16, belong, in order, to ``embedded``: (id of the image
    whose content changed, or None for a new one, and its file). ``refiled`` images keep their
    vector and get another path or time; ``removed`` ones go. ``skipped`` files replace what was
    known of these paths, and ``forgotten`` ones are no longer skipped. ``removed_contents`` are
    hashes of what is to stay out whatever its name, ``readmitted`` ones of what is no longer.
    ``apart`` are pairs of hashes of pictures that are no copies of each other, ``rejoined`` ones of
    such as may be again.
    ``sources`` are folders scanned for the first time, ``gone_sources`` those that are no longer
    to be scanned, ``stamps`` what to remember of some. ``dropped_segments``, by their first rows,
    have no live row any more.
    """

    embedded: list[tuple[int | None, ImageFile]] = field(default_factory=list)
    vectors: Vectors | Float16Vectors | None = None
    refiled: list[tuple[int, ImageFile]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    forgotten: list[Path] = field(default_factory=list)
    removed_contents: list[bytes] = field(default_factory=list)
    readmitted: list[bytes] = field(default_factory=list)
    apart: list[tuple[bytes, bytes]] = field(default_factory=list)
    rejoined: list[tuple[bytes, bytes]] = field(default_factory=list)
    sources: list[SourceName] = field(default_factory=list)
    gone_sources: list[SourceName] = field(default_factory=list)
    stamps: dict[SourceName, str] = field(default_factory=dict)
    dropped_segments: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Return whether there is anything to commit."""
        return any(
            (
                self.embedded,
                self.refiled,
                self.removed,
                self.skipped,
                self.forgotten,
                self.removed_contents,
                self.readmitted,
                self.apart,
                self.rejoined,
                self.sources,
                self.gone_sources,
                self.stamps,
                self.dropped_segments,
            )
        )


@dataclass(frozen=True, slots=True)
class NewBase:
    """A FAISS index to write: its recipe, how it is searched (JSON), and what writes its bytes."""

    recipe: str
    search: str
    write: Callable[[Write], object]


@dataclass(frozen=True, slots=True)
class Compaction:
    """Segments to replace by one: ``blocks`` are all their live rows, ``row_count`` of them.

    Every ``held_stride``-th image of them, the first included, comes behind the others, and so do
    the rows in ``blocks``. ``make_base`` is given the other rows, and these, as they lie in the
    new segment, and makes the FAISS base over the former. Readers of generations before the last
    compaction lose theirs if ``forget``.
    """

    replaced: Sequence[Segment]
    blocks: Iterable[Float16Vectors]
    row_count: int
    make_base: Callable[[Float16Vectors, Float16Vectors], NewBase] | None = None
    held_stride: int = 0
    forget: bool = False

    @property
    def base_count(self) -> int:
        """How many rows come first."""
        held = -(-self.row_count // self.held_stride) if self.held_stride else 0
        return self.row_count - held


@dataclass(frozen=True, slots=True)
class NewIndex:
    """What a new index begins with: its encoder, as a description and as files' contents.

    The contents are empty for vectors that another program made. ``agreement`` is what was measured
    of an int8 encoder, ``reduction`` of a PCA, as JSON; ``recipe`` what FAISS bases are to be, and
    ``recall`` what they are tuned for. ``encoder_words`` is empty for an encoder without words.
    """

    encoder_json: str
    dim: int
    encoder_xml: bytes = b""
    encoder_bin: bytes = b""
    agreement: str = ""
    reduction: str = ""
    recipe: str = "auto"
    recall: float = 0.95
    encoder_words: bytes = b""
