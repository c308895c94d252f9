"""Opening a FAISS file that is not trusted: it is what its recipe makes, or refused.

FAISS believes the sizes that a file tells, and the ids in it. So what it may allocate is bounded by
the length of the file while it reads, and what it read is compared with what the recipe makes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from vecsearch.ann.recipes import FLAT, empty_index, is_possible
from vecsearch.errors import IndexDamagedError, UsageError
from vecsearch.forks import ProcessLock

_READING: Final = ProcessLock()
"""The bounds are FAISS's own, and the same for all threads."""

_LEAST_BYTES: Final = 1 << 30
"""Tables that FAISS makes of what it reads, for some recipes, may be larger than the file."""


def open_base(path: Path, recipe: str, rows: int, dim: int) -> Any:
    """Open the FAISS file of *rows* vectors (d,) that *recipe* made; raises IndexDamagedError.

    Its checksum was compared by the caller.
    """
    import faiss

    if not is_possible(recipe, rows, dim):
        raise _refused(path, f"{recipe!r:.100} is not a recipe for {rows} x {dim} vectors")
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise _refused(path, str(error.strerror)) from None
    # An exact one is as long as its vectors are; every other has a code for each.
    if size_bytes < rows:
        raise _refused(path, f"its {size_bytes} bytes cannot hold {rows} vectors")
    with _READING:
        before = faiss.get_deserialization_vector_byte_limit()
        faiss.set_deserialization_vector_byte_limit(max(size_bytes, _LEAST_BYTES))
        faiss.set_deserialization_loop_limit(max(size_bytes, 1))
        try:
            base = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        except (RuntimeError, MemoryError, ValueError) as error:
            raise _refused(path, str(error).strip().rpartition("\n")[2]) from None
        finally:
            faiss.set_deserialization_vector_byte_limit(before)
            faiss.set_deserialization_loop_limit(0)
    if (base.ntotal, base.d) != (rows, dim):
        raise _refused(path, f"it has {base.ntotal} x {base.d} values instead of {rows} x {dim}")
    metric = faiss.METRIC_INNER_PRODUCT if recipe == FLAT else faiss.METRIC_L2
    try:
        made = empty_index(recipe, dim, metric)
    except UsageError as error:
        raise _refused(path, str(error).partition("; ")[0]) from None
    same = _shape(base) == _shape(made) and _metric(base) == metric
    if not (same and base.is_trained):
        raise _refused(path, f"it is not what {recipe} makes")
    if why := _inconsistent(base, rows):
        raise _refused(path, why)
    return base


def _metric(index: Any) -> int:
    """Return by what an index compares vectors, once they are transformed.

    The metric that a transform names does not count: `CodedRows` changes it to search, and tuning
    does that before a base is written.
    """
    import faiss

    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        return _metric(index.index)
    return int(index.metric_type)


def _shape(index: Any) -> list[object]:
    """Describe what an index is made of, apart from what it has learnt."""
    import faiss

    index = faiss.downcast_index(index)
    # Both metrics of the plain one are read as one class.
    kind = "IndexFlat" if isinstance(index, faiss.IndexFlat) else type(index).__name__
    shape: list[object] = [kind, index.d]
    if isinstance(index, faiss.IndexPreTransform):
        for number in range(index.chain.size()):
            step = faiss.downcast_VectorTransform(index.chain.at(number))
            shape += [type(step).__name__, step.d_in, step.d_out]
        return shape + _shape(index.index)
    if isinstance(index, faiss.IndexIVF):
        lists = faiss.downcast_InvertedLists(index.invlists)
        facts = ("code_size", "n_per_block", "block_size")
        shape += [index.nlist, type(lists).__name__, *(getattr(lists, one, 0) for one in facts)]
    if quantizer := getattr(index, "pq", None):
        shape += [quantizer.M, quantizer.nbits]
    if quantizer := getattr(index, "sq", None):
        shape.append(quantizer.qtype)
    for name in ("quantizer", "storage", "index", "base_index", "refine_index"):
        inner = getattr(index, name, None)
        if isinstance(inner, faiss.Index):
            shape += [name, *_shape(inner)]
    return shape


def _inconsistent(index: Any, rows: int) -> str:
    """Return what in *index*, of *rows* vectors, would lead a search outside; else nothing."""
    import faiss

    index = faiss.downcast_index(index)
    if index.ntotal != rows:
        return f"a part of it has {index.ntotal} vectors instead of {rows}"
    if isinstance(index, faiss.IndexPreTransform):
        steps = [
            faiss.downcast_VectorTransform(index.chain.at(n)) for n in range(index.chain.size())
        ]
        return next(filter(None, map(_inconsistent_step, steps)), "") or _inconsistent(
            index.index, rows
        )
    if why := _inconsistent_codes(index):
        return why
    if isinstance(index, faiss.IndexIVF):
        return _inconsistent_lists(index, rows)
    if isinstance(index, faiss.IndexHNSW):
        return _inconsistent_graph(index.hnsw, rows) or _inconsistent(index.storage, rows)
    codes = getattr(index, "codes", None)
    if codes is not None and codes.size() < rows * index.code_size:
        return f"it has {codes.size()} bytes of codes for {rows} vectors"
    return ""


def _inconsistent_step(step: Any) -> str:
    matrix = getattr(step, "A", None)
    if matrix is not None and matrix.size() != step.d_in * step.d_out:
        return f"its matrix has {matrix.size()} values instead of {step.d_in} x {step.d_out}"
    if getattr(step, "have_bias", False) and step.b.size() != step.d_out:
        return f"its matrix has {step.b.size()} offsets instead of {step.d_out}"
    return ""


def _inconsistent_codes(index: Any) -> str:
    import faiss

    if quantizer := getattr(index, "pq", None):
        wanted = quantizer.d * quantizer.ksub
        if quantizer.centroids.size() != wanted or quantizer.M * quantizer.dsub != quantizer.d:
            return f"its codes have {quantizer.centroids.size()} values instead of {wanted}"
    if quantizer := getattr(index, "sq", None):
        kinds = faiss.ScalarQuantizer
        of_each = {kinds.QT_8bit, kinds.QT_6bit, kinds.QT_4bit}
        of_all = {kinds.QT_8bit_uniform: 2, kinds.QT_4bit_uniform: 2}
        wanted = 2 * quantizer.d if quantizer.qtype in of_each else of_all.get(quantizer.qtype, 0)
        if quantizer.trained.size() < wanted:
            return f"its codes have {quantizer.trained.size()} bounds instead of {wanted}"
    return ""


def _inconsistent_lists(index: Any, rows: int) -> str:
    if index.quantizer.ntotal != index.nlist or index.invlists.nlist != index.nlist:
        return f"it has {index.quantizer.ntotal} cells instead of {index.nlist}"
    if index.invlists.compute_ntotal() != rows:
        return "its cells do not have its vectors"
    try:
        index.make_direct_map(True)  # which compares every id with the number of vectors
        index.make_direct_map(False)
    except RuntimeError:
        return "it has vectors that the segment has not"
    return _inconsistent(index.quantizer, index.nlist)


def _inconsistent_graph(graph: Any, rows: int) -> str:
    import faiss

    neighbours, levels, offsets, per_level = (
        faiss.vector_to_array(one)
        for one in (graph.neighbors, graph.levels, graph.offsets, graph.cum_nneighbor_per_level)
    )
    if len(levels) != rows or len(offsets) != rows + 1 or not len(per_level) or offsets[0]:
        return "its graph does not have its vectors"
    if levels.min() < 1 or levels.max() >= len(per_level) or (np.diff(per_level) < 0).any():
        return "its graph has levels that it does not have"
    if not np.array_equal(np.diff(offsets.astype(np.int64)), per_level[levels]) or per_level[0]:
        return "its graph has other numbers of neighbours"
    if len(neighbours) != offsets[-1] or neighbours.min() < -1 or neighbours.max() >= rows:
        return "its graph has neighbours that it does not have"
    entry, top = graph.entry_point, graph.max_level
    if not (0 <= entry < rows and 0 <= top < levels[entry]):
        return "its graph has no way in"
    return ""


def _refused(path: Path, why: str) -> IndexDamagedError:
    return IndexDamagedError(
        f"{path} cannot be opened ({why})", hint="vecsearch repair makes it again", path=path
    )
