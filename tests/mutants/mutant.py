"""A mutant: a text of a module that is replaced by another."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIST: Final = Path(__file__).with_name("mutants.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """What replaces ``old`` by ``new`` in ``module``, a path below the package.

    ``breaks`` says what goes wrong by it; ``equivalent``, if it says anything, why no test can
    notice it. ``lines`` are those of the statements that differ, or nothing if that is not in a
    function, so that it runs when the module is imported.
    """

    module: str
    old: str
    new: str
    breaks: str
    equivalent: str
    lines: frozenset[int]

    def apply(self, package: Path) -> None:
        """Write the module with the fault in it."""
        path = package / self.module
        path.write_text(path.read_text().replace(self.old, self.new))


def read_mutants(package: Path, path: Path = LIST) -> list[Mutant]:
    """Read the list; raises ValueError for a row that does not fit the modules in *package*."""
    mutants = []
    for module, rows in tomllib.loads(path.read_text()).items():
        source = (package / module).read_text()
        for row in rows:
            old, new = row["old"], row["new"]
            if source.count(old) != 1 or old == new:
                raise ValueError(f"{module} has {source.count(old)} times: {old}")
            compile(source.replace(old, new), module, "exec")
            mutants.append(
                Mutant(
                    module=module,
                    old=old,
                    new=new,
                    breaks=row["breaks"],
                    equivalent=row.get("equivalent", ""),
                    lines=frozenset(_lines_of(source, old)),
                )
            )
    return mutants


def _lines_of(source: str, old: str) -> Iterator[int]:
    """Find the lines of the statements in functions that *old* is a part of."""
    start = source.index(old)
    first = source.count("\n", 0, start + len(old) - len(old.lstrip())) + 1
    last = source.count("\n", 0, start + len(old.rstrip())) + 1
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for statement in function.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.stmt):
                    body = getattr(node, "body", None)
                    end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
                    end = max(end, node.lineno)
                    if node.lineno <= last and end >= first:
                        yield from range(node.lineno, end + 1)
