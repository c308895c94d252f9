"""When what has gathered is committed, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from vecsearch.store.change import Change
from vecsearch.store.commit_buffer import CommitBuffer
from vecsearch.store.writer import Writer
from vecsearch.types import ImageFile


class Recorded:
    """In the place of a writer: keeps what it is to commit."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def commit(self, change: Change) -> None:
        self.changes.append(change)


def buffer_for(
    recorded: Recorded,
    *,
    commit_images: int = 1000,
    commit_bytes: int = 1 << 20,
    commit_seconds: float = 1000.0,
    by_path: bool = False,
) -> CommitBuffer:
    return CommitBuffer(
        cast(Writer, recorded),
        commit_images=commit_images,
        commit_bytes=commit_bytes,
        commit_seconds=commit_seconds,
        by_path=by_path,
    )


def add(buffer: CommitBuffer, *names: str) -> None:
    """Add images whose vectors are four times the number in their name."""
    files = [ImageFile(Path(name), 1, 1, b"", 1, 1) for name in names]
    vectors = [[float(name.strip("abc."))] * 4 for name in names]
    buffer.add([(None, file) for file in files], np.array(vectors, np.float32))


def names_of(change: Change) -> list[str]:
    return [str(file.path) for _, file in change.embedded]


def test_a_commit_is_due_after_images_bytes_or_seconds() -> None:
    for limits, due in [
        ((3, 1 << 20, 1000.0), [False, False, True]),
        ((1000, 32, 1000.0), [False, True, False]),
        ((1000, 1 << 20, 0.0), [True, True, True]),
        ((1000, 1 << 20, 1000.0), [False, False, False]),
    ]:
        recorded = Recorded()
        images, size_bytes, seconds = limits
        buffer = buffer_for(
            recorded, commit_images=images, commit_bytes=size_bytes, commit_seconds=seconds
        )
        for number, expected in enumerate(due):
            before = len(recorded.changes)
            add(buffer, f"a{number}.")
            buffer.commit_if_due()
            assert (len(recorded.changes) > before) == expected, limits
        buffer.commit()
        assert [name for one in recorded.changes for name in names_of(one)] == ["a0.", "a1.", "a2."]


def test_images_keep_their_order_or_are_sorted_by_path_with_their_vectors() -> None:
    for by_path, expected in ((False, ["c1.", "a2.", "b3."]), (True, ["a2.", "b3.", "c1."])):
        recorded = Recorded()
        buffer = buffer_for(recorded, by_path=by_path)
        add(buffer, "c1.", "a2.")
        add(buffer, "b3.")
        buffer.commit()
        (change,) = recorded.changes
        assert names_of(change) == expected
        assert change.vectors is not None
        assert change.vectors.tolist() == [[float(name[1])] * 4 for name in expected]


def test_nothing_is_committed_twice_or_for_nothing() -> None:
    recorded = Recorded()
    buffer = buffer_for(recorded)
    buffer.commit()
    assert not recorded.changes
    add(buffer, "a1.")
    buffer.commit()
    buffer.commit()
    assert [names_of(one) for one in recorded.changes] == [["a1."]]
    buffer.change.forgotten.append(Path("b"))
    buffer.commit()
    assert recorded.changes[1].forgotten == [Path("b")]
    assert recorded.changes[1].vectors is None


def test_an_image_without_its_vector_is_not_committed() -> None:
    recorded = Recorded()
    buffer = buffer_for(recorded, by_path=True)
    add(buffer, "b1.", "a2.")
    buffer.change.embedded.pop()  # as if interrupted between a vector and its image
    buffer.commit()
    (change,) = recorded.changes
    assert names_of(change) == ["b1."]
    assert change.vectors is not None
    assert change.vectors.tolist() == [[1.0] * 4]
