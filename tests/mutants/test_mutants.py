"""The list of mutants fits the package: what a row replaces is there, once."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from mutants.mutant import LIST, read_mutants

PACKAGE = Path(__file__).parents[2] / "vecsearch"


def test_every_text_occurs_once() -> None:
    """Also, what takes its place compiles."""
    unfit = []
    for module, rows in tomllib.loads(LIST.read_text()).items():
        path = PACKAGE / module
        source = path.read_text() if path.exists() else ""
        found = ((row["breaks"], source.count(row["old"])) for row in rows)
        unfit += [f"{module}, {count} times: {breaks}" for breaks, count in found if count != 1]
    assert unfit == []
    assert read_mutants(PACKAGE)


def test_no_mutant_is_listed_twice() -> None:
    mutants = read_mutants(PACKAGE)
    edits = Counter((one.module, one.old, one.new) for one in mutants)
    said = Counter(one.breaks for one in mutants)
    assert [edit for edit, count in edits.items() if count > 1] == []
    assert [breaks for breaks, count in said.items() if count > 1] == []


@pytest.mark.parametrize(
    ("module", "old"),
    [("gone.py", "one"), ("there.py", "two"), ("there.py", "three")],
    ids=["no module", "twice", "not at all"],
)
def test_a_row_that_does_not_fit_is_an_error(module: str, old: str, tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text("one, two, two = 1, 2, 2\n")
    rows = tmp_path / "rows.toml"
    rows.write_text(f'[["{module}"]]\nbreaks = "it"\nold = "{old}"\nnew = "four"\n')
    with pytest.raises((ValueError, FileNotFoundError)):
        read_mutants(tmp_path, rows)
