"""The directive ``error-tree``: the classes of vecsearch's errors, as a tree."""

from __future__ import annotations

from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from vecsearch.errors import VecsearchError


class ErrorTree(SphinxDirective):
    """``{error-tree}`` draws VecsearchError and what is below it."""

    def run(self) -> list[nodes.Node]:
        """Return the tree as a literal block."""
        text = "\n".join([VecsearchError.__name__, *_branches(VecsearchError)])
        return [nodes.literal_block(text, text, language="text")]


def _branches(parent: type[Exception], indent: str = "") -> Iterator[str]:
    children = [one for one in parent.__subclasses__() if one.__module__ == parent.__module__]
    for child in children:
        is_last = child is children[-1]
        yield f"{indent}{'└── ' if is_last else '├── '}{child.__name__}"
        yield from _branches(child, indent + ("    " if is_last else "│   "))


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("error-tree", ErrorTree)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
