"""Rows as CSV, whose cells no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

_FORMULA: Final = re.compile(
    r"""(?:^|(?<=[;\t\r\n]))(?="*[-=+@\t\r\n\0'\uff1d\uff0b\uff0d\uff20])"""
)
"""Where a cell begins, also one of a spreadsheet that splits at semicolons or tabs and not at
commas, with what may begin a formula, or an apostrophe. https://owasp.org/www-community/attacks/CSV_Injection"""

_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def csv_lines(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, raw: bool = False
) -> Iterator[str]:
    """Write *rows* under *heads* as lines of comma-separated values, without their ends.

    A text that a spreadsheet could take for a formula gets an apostrophe before it, and so does one
    that begins with an apostrophe: without it, each is what it was. With *raw* all are as they are.
    """
    # csv quotes what has a part of the line end in it: of "\n", a carriage return would end a row.
    writer = csv.writer(_Line(), lineterminator="\r\n")
    for row in chain([heads], rows):
        line: Any = writer.writerow(row if raw else [*map(_no_formula, row)])
        yield line.removesuffix("\r\n")


class _Line:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def _no_formula(cell: object) -> object:
    if not isinstance(cell, str) or _NUMBER.fullmatch(cell):
        return cell
    return _FORMULA.sub("'", cell)
