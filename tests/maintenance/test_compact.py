"""Compaction of what is larger than a block, or than a segment may be, and when it is due."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import add_vectors, draw_vectors, make_index

import vecsearch
from vecsearch import IndexDamagedError, QueryOptions
from vecsearch.indexing.compaction import compact_segments
from vecsearch.store import schema
from vecsearch.store.segments import live_blocks, map_segment, write_segment
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import open_writer

DIM = 16
ROW_BYTES = 2 * DIM


def ids(numbers: Iterable[int]) -> list[str]:
    return [f"id:{number}" for number in numbers]


def vectors_of(folder: Path) -> dict[int, bytes]:
    with vecsearch.open_index(folder) as opened:
        images, vectors = opened.vectors()
        return {image.id: row.tobytes() for image, row in zip(images, vectors, strict=True)}


def deleted_rows(folder: Path) -> int:
    with closing(Snapshot(folder)) as snapshot:
        return sum(snapshot.deleted_count(one) for one in snapshot.segments)


@pytest.mark.parametrize("recipe", ["auto", "IVF4,SQ8"])
def test_a_compaction_in_blocks_keeps_every_vector(recipe: str, tmp_path: Path) -> None:
    """The last rows of an approximate segment are those that are held out of its base."""
    folder = make_index(tmp_path / "index", draw_vectors(500, DIM, 0), recipe)
    vecsearch.remove(*ids((2, 5, 80, 81, 200, 340, 500)), index=folder)
    before = vectors_of(folder)
    assert (len(before), deleted_rows(folder)) == (493, 7)
    with open_writer(folder) as writer, closing(Snapshot(folder)) as snapshot:
        compact_segments(writer, snapshot, snapshot.segments, None, block_bytes=77 * ROW_BYTES)
    assert vectors_of(folder) == before
    assert deleted_rows(folder) == 0


def test_the_rows_of_every_block_are_checked(tmp_path: Path) -> None:
    rows = draw_vectors(100, DIM, 0).astype(np.float16)
    record = write_segment(tmp_path, 1, [rows])
    path = tmp_path / record.name
    data = bytearray(path.read_bytes())
    data[90 * ROW_BYTES] ^= 0x40
    path.write_bytes(data)
    segment = map_segment(path, 1000, 100, DIM, record.size_bytes)
    segment = replace(segment, believed=False)
    block_bytes = 30 * ROW_BYTES
    none, damaged = np.empty(0, np.int64), np.array([1090])
    with pytest.raises(IndexDamagedError, match="is damaged at row 1090"):
        list(live_blocks([segment], none, block_bytes))
    blocks = list(live_blocks([segment], damaged, block_bytes))  # it harms nothing if deleted
    assert [len(block) for block in blocks] == [30, 30, 30, 9]
    np.testing.assert_array_equal(np.concatenate(blocks), np.delete(rows, 90, axis=0))


@pytest.fixture
def two_segments(tmp_path: Path) -> Path:
    """An index of two segments of 300 vectors, each as large as a segment may be."""
    folder = make_index(tmp_path / "index", draw_vectors(300, DIM, 0))
    add_vectors(folder, draw_vectors(300, DIM, 1), 300)
    vecsearch.compact(folder, segment_bytes=300 * ROW_BYTES)
    with closing(Snapshot(folder)) as snapshot:
        assert [len(one.halves) for one in snapshot.segments] == [300, 300]
        assert len(snapshot.bases) == 2
    return folder


def test_a_compaction_into_several_segments_counts_as_one_for_readers(tmp_path: Path) -> None:
    folder = make_index(tmp_path / "index", draw_vectors(300, DIM, 0))
    for seed in (1, 2):
        add_vectors(folder, draw_vectors(300, DIM, seed), 300 * seed)
    with vecsearch.open_index(folder) as reader:
        images = iter(reader)
        vecsearch.compact(folder, segment_bytes=600 * ROW_BYTES)
        with closing(Snapshot(folder)) as snapshot:
            assert [len(one.halves) for one in snapshot.segments] == [600, 300]
        assert len(list(images)) == 900


def test_deleted_rows_make_a_compaction_due(tmp_path: Path) -> None:
    folder = make_index(tmp_path / "index", draw_vectors(60, DIM, 0))
    vecsearch.remove(*ids(range(1, 6)), index=folder)
    assert deleted_rows(folder) == 5
    vecsearch.remove(*ids(range(6, 8)), index=folder)
    assert deleted_rows(folder) == 0
    assert len(vectors_of(folder)) == 53


def test_a_full_segment_is_left_until_a_tenth_of_it_is_deleted(two_segments: Path) -> None:
    vecsearch.remove(*ids((*range(1, 41), 301, 302)), index=two_segments)
    assert deleted_rows(two_segments) == 42
    vecsearch.compact(two_segments, segment_bytes=300 * ROW_BYTES)
    assert deleted_rows(two_segments) == 2
    with closing(Snapshot(two_segments)) as snapshot:
        assert sorted(len(one.halves) for one in snapshot.segments) == [260, 300]


def test_the_first_row_of_each_segment_is_its_own(two_segments: Path) -> None:
    with vecsearch.open_index(two_segments) as opened:
        for number in (1, 301):
            (result,) = opened.query(f"id:{number}", k=1, options=QueryOptions(include_self=True))
            assert result.hits[0].id == number
            assert result.hits[0].score == pytest.approx(1, abs=1e-3)


def test_a_compacted_catalog_has_one_generation(two_segments: Path) -> None:
    with closing(schema.open_catalog(two_segments, writing=False)) as catalog:
        ((count,),) = catalog.execute("SELECT count(*) FROM generations")
    assert count == 1
