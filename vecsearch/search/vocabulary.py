"""The words of an open index: found by how they are written, and counted over its images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np

from vecsearch.embed.spec import EncoderSpec
from vecsearch.embed.words import Words
from vecsearch.errors import IndexDamagedError, NotFoundError, UsageError
from vecsearch.search.index_reader import IndexReader
from vecsearch.store.stored_images import StoredImages
from vecsearch.store.write_once import FileRecord
from vecsearch.types import Vectors, WordCount
from vecsearch.unit_length import unit_length

_LISTED: Final = 8
_NEAR: Final = 3
_ALIKE: Final = 0.7
_BLOCK: Final = 4096


class Vocabulary:
    """The words that indexes with one encoder have; read by the first use."""

    def __init__(self, spec: EncoderSpec) -> None:
        """Keep what the encoder is."""
        self._spec = spec
        self._read: tuple[FileRecord, Words] | None = None

    def of(self, snapshot: StoredImages) -> Words:
        """Return the words of *snapshot*; raises NotFoundError if it has none, or damage."""
        record = snapshot.words_record
        if record is None:
            from vecsearch.embed.classifier import why_no_words

            why, hint = why_no_words(self._spec)
            raise NotFoundError(
                f"{snapshot.folder} has no words: {why}", hint=hint, path=snapshot.folder
            )
        read = self._read
        if read is None or read[0] != record:
            try:
                words = Words.from_bytes(snapshot.read_words(), snapshot.dim)
            except ValueError as error:
                path = snapshot.words_path()
                raise IndexDamagedError(
                    f"{path} {error}", hint="vecsearch repair mends what can be mended", path=path
                ) from None
            self._read = read = (record, words)
        return read[1]


def find_word(words: Words, text: str) -> list[int]:
    """Find the word that *text* names: one place, or several that are written alike.

    The word itself comes first, then one that differs in upper and lower case only, then the only
    one that has *text* as a whole word within. Raises UsageError if there are several of these,
    NotFoundError with the nearest names if there is none.
    """
    wanted = " ".join(text.split())
    for same in (str, str.casefold):
        if found := [place for place, name in enumerate(words.names) if same(name) == same(wanted)]:
            return found
    within = re.compile(rf"(?<!\w){re.escape(wanted.casefold())}(?!\w)")
    found = [place for place, name in enumerate(words.names) if within.search(name.casefold())]
    if wanted and len(found) == 1:
        return found
    if wanted and found:
        listed = [words.names[place] for place in found[:_LISTED]]
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise UsageError(
            f"{text!r} is in several words: {', '.join(listed)}{more}", hint="choose one of them"
        )
    import difflib

    lower = {name.casefold(): name for name in reversed(words.names)}
    inside = [name for name in lower if len(wanted) > 2 and wanted.casefold() in name]
    near = inside[:_NEAR] or difflib.get_close_matches(
        wanted.casefold(), lower, n=_NEAR, cutoff=_ALIKE
    )
    meant = f"did you mean {' or '.join(lower[one] for one in near)}? " if near else ""
    raise NotFoundError(f"the index has no word {text!r}", hint=f"{meant}vecsearch words lists all")


def vector_of(words: Words, places: Sequence[int]) -> Vectors:
    """Return the direction (d,) of a word, the mean of all that are written alike."""
    mean = words.rows[list(places)].mean(axis=0, keepdims=True)
    vector: Vectors = unit_length(mean)[0]
    return vector


def list_words(words: Words, prefix: str, reader: IndexReader | None) -> list[WordCount]:
    """List the words with a part that begins with *prefix*, by name; with *reader*, by count."""
    start = " ".join(prefix.split()).casefold()
    parts = re.compile(rf"(?<!\w){re.escape(start)}")
    chosen = [place for place, name in enumerate(words.names) if parts.search(name.casefold())]
    chosen.sort(key=lambda place: (words.names[place].casefold(), place))
    if reader is None:
        return [WordCount(words.names[place], None) for place in chosen]
    counts = np.zeros(len(words.names), np.int64)
    for vectors in _blocks(reader):
        counts += words.count(vectors)
    chosen.sort(key=lambda place: -counts[place])
    return [WordCount(words.names[place], int(counts[place])) for place in chosen]


def _blocks(reader: IndexReader) -> Iterator[Vectors]:
    images = reader.snapshot.images()
    while rows := [image.row for image in islice(images, _BLOCK)]:
        yield reader.gather(np.array(rows, np.int64))
