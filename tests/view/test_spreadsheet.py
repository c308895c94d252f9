"""CSV that spreadsheets open without harm, and from which programs get texts back as they were."""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from samples import Run

import vecsearch
from vecsearch import ImportOptions
from vecsearch.spreadsheet import csv_lines

IDS = [
    *("=1+1", "+a/b=", "-x", "@SUM(A1)", "\t=1", "\n=1", "-5", "1e9", "\uff1d1"),
    *("a;=1", "a\t=1", "a\n=1", 'a;"=1', "'=1", "''", "it's.jpg", "a-b", 'say "=1", say'),
]
DANGER = re.compile(r"[=@\t\r\n\uff1d]|[-+](?![0-9]+(?:\.[0-9]+)?$)")


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    """An index of vectors whose ids are texts that spreadsheets might calculate."""
    np.save(tmp_path / "x.npy", np.random.RandomState(0).normal(size=(len(IDS), 8)))
    (tmp_path / "ids.json").write_text(json.dumps(IDS))
    options = ImportOptions(ids=[tmp_path / "ids.json"])
    return vecsearch.import_vectors(
        tmp_path / "x.npy", index=tmp_path / "index", options=options
    ).index


def read(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def without_apostrophes(cell: str) -> str:
    return re.sub(r"(?:^|(?<=[;\t\r\n]))'", "", cell)


def written(run: Run, tmp_path: Path, form: str) -> list[tuple[str, list[str]]]:
    """Let every command that writes CSV do so; return it, and the texts in it that are ids."""
    raw = ["--csv-raw"] if form == "csv-raw" else []
    run("viz", "-i", "index", "--method", "pca", "--save-coordinates", "c.csv", *raw)
    ask = ("query", "-i", "index", "-k", "99", "--include-self", "--format", form, "--", *IDS[:3])
    texts = [
        (tmp_path / "c.csv").read_text(),
        run(*ask).stdout,
        run("duplicates", "-i", "index", "--threshold", "-1", "--format", form).stdout,
    ]
    found = []
    for text in texts:
        heads, *rows = read(text)
        assert all(len(row) == len(heads) for row in rows)
        found.append((text, [row[heads.index("path")] for row in rows]))
    return found


def test_no_cell_is_a_formula(imported: Path, run: Run, tmp_path: Path) -> None:
    for text, paths in written(run, tmp_path, "csv"):
        for delimiter in ",;\t":  # that of spreadsheets depends on the language
            cells = [cell for row in read(text, delimiter) for cell in row]
            assert not [cell for cell in cells if DANGER.match(cell)]
        assert {without_apostrophes(path) for path in paths} == set(IDS)
        assert {"'=1+1", "-5", "1e9", "''=1", "it's.jpg", "a-b"} <= set(paths)


def test_raw_cells_are_as_they_are(imported: Path, run: Run, tmp_path: Path) -> None:
    for _, paths in written(run, tmp_path, "csv-raw"):
        assert set(paths) == set(IDS)
    refused = run("viz", "-i", "index", "--csv-raw", code=2)
    assert "--save-coordinates FILE.csv" in refused.stderr


def test_an_apostrophe_too_many_is_all_that_changes() -> None:
    """Every text of four letters that matter comes back, and no two become one."""
    texts = ["".join(letters) for letters in product("=-'\";\t\r\n,a1", repeat=4)]
    lines = "\n".join(csv_lines(["text"], ([text] for text in texts)))
    cells = [row[0] for row in read(lines)[1:]]
    assert list(map(without_apostrophes, cells)) == texts
    assert len(set(cells)) == len(texts)
