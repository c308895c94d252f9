"""Rows of a mapped segment as a FAISS index: nothing is copied, a search touches what it reads."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from vecsearch.errors import VecsearchError
from vecsearch.once import Once
from vecsearch.types import Float16Vectors


def as_index(rows: Float16Vectors) -> Any:
    """Return an exact inner-product index over *rows*, (n, d) float16, contiguous, kept alive."""
    import faiss

    index = _empty(rows.shape[1])
    if len(rows):
        raw = rows.view(np.uint8).reshape(-1)
        index.codes = faiss.MaybeOwnedVectorUInt8.create_view(
            faiss.swig_ptr(raw), raw.size, _owner().codes.owner
        )
        index.ntotal = len(rows)
        object.__setattr__(index, "rows", raw)  # FAISS has but their address
    return index


def _empty(dim: int) -> Any:
    import faiss

    index = faiss.IndexScalarQuantizer(
        dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    index.is_trained = True
    return index


def _make_owner() -> Any:
    """Make something that FAISS accepts as the owner of memory that is not its own.

    Python cannot make one, but an index that was opened as a mapped file has one.
    """
    import faiss

    index = _empty(1)
    index.add(np.zeros((1, 1), np.float32))
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "one.faiss")
            faiss.write_index(index, path)
            return faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split()).rpartition(": ")[2]
        raise VecsearchError(
            f"a search needs a small file in the temporary folder ({reason})",
            hint="free some room there, or set TMPDIR to another folder",
        ) from None


_owner: Final = Once(_make_owner)
