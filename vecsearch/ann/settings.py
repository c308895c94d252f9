"""Settings of a search in a FAISS base: how much is visited, how many candidates re-scored."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from vecsearch.errors import IndexDamagedError
from vecsearch.fields import read_fields

_MOST: Final = 1 << 30
"""More candidates than a segment has rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """``nprobe`` cells of an inverted file, or an HNSW list of ``ef_search``, are looked at.

    The best ``candidates`` of them are compared exactly with the query. ``recall`` is the share of
    the true ``k`` nearest that was found, measured with ``queries`` vectors outside the base; -1 if
    it was not measured.
    """

    candidates: int = 0
    nprobe: int = 0
    ef_search: int = 0
    recall: float = -1.0
    k: int = 0
    queries: int = 0

    def to_json(self) -> str:
        """Write it for the catalog."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> SearchSettings:
        """Read what `to_json` wrote; ``{}`` is how an exact base is searched.

        Raises IndexDamagedError for anything else.
        """
        try:
            found = read_fields(cls, text)
            numbers = (found.candidates, found.nprobe, found.ef_search, found.k)
            if not all(0 <= number <= _MOST for number in numbers):
                raise ValueError(f"has numbers {numbers}")
        except ValueError as error:
            raise IndexDamagedError(
                f"the description of how a FAISS file is searched {error}",
                hint="vecsearch reindex makes it again",
            ) from None
        return found


def parameters(base: Any, settings: SearchSettings) -> Any:
    """Return the FAISS search parameters for *base*; shared objects are not touched.

    ``nprobe`` set on an index would hold for all its users.
    """
    import faiss

    index: Any = faiss.downcast_index(base)
    if isinstance(index, faiss.IndexPreTransform):
        inner = parameters(index.index, settings)
        return faiss.SearchParametersPreTransform(index_params=inner)
    if isinstance(index, faiss.IndexIVFRaBitQ | faiss.IndexIVFRaBitQFastScan):
        return faiss.IVFRaBitQSearchParameters(nprobe=settings.nprobe)
    if isinstance(index, faiss.IndexIVF):
        return faiss.SearchParametersIVF(nprobe=settings.nprobe)
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW(efSearch=settings.ef_search)
    return None


def widened(settings: SearchSettings, k: int) -> SearchSettings:
    """Widen *settings*, which were measured for fewer than *k* hits, in proportion.

    Cells grow by the root: more hits lie in more cells, but most still in the nearest.
    """
    factor = k / settings.k if settings.k else 1.0
    if factor <= 1.0:
        return settings
    return replace(
        settings,
        candidates=round(settings.candidates * factor),
        ef_search=round(settings.ef_search * factor),
        nprobe=round(settings.nprobe * factor**0.5),
    )
