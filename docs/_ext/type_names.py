"""Links from the short names of types in signatures to where they are described."""

from __future__ import annotations

from typing import Final

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_FULL: Final = {
    "Query": "vecsearch.search.query_image.Query",
    "Moment": "vecsearch.search.period.Moment",
    "MapVectors": "vecsearch.search.map_vectors.MapVectors",
    "Observer": "vecsearch.types.Observer",
    "Queryable": "vecsearch.search.queryable.Queryable",
    "Progress": "vecsearch.types.Progress",
}


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contents: nodes.TextElement
) -> nodes.reference | None:
    full = _FULL.get(node.get("reftarget", ""))
    if full is None or node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", full, node, contents)


def setup(app: Sphinx) -> dict[str, bool]:
    """Resolve these names where Sphinx cannot."""
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
