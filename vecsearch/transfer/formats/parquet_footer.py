"""The footer of a .parquet file: how long its columns are, known before anything is decoded.

pyarrow ends the process where it is asked for the length of an encrypted column, so this is read
here. Formats: https://github.com/apache/parquet-format (parquet.thrift) and Thrift's compact
protocol, https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_MAGIC: Final = b"PAR1"
_END_BYTES: Final = 8

# The numbers of fields in parquet.thrift.
_GROUPS, _COLUMNS, _ROWS, _COLUMN, _ENCRYPTION = 4, 1, 3, 3, 8
_NAMES, _VALUES, _LONG, _STORED = 3, 5, 6, 7

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a column: its rows, its values, its bytes when they are decompressed, and now."""

    name: str
    rows: int
    values: int
    long_bytes: int
    stored_bytes: int


def read_chunks(path: Path) -> Iterator[Chunk]:
    """Read what the footer tells of all columns; raises ValueError if it is none, or encrypted."""
    with path.open("rb") as file:
        size_bytes = file.seek(0, 2)
        file.seek(max(0, size_bytes - _END_BYTES))
        end = file.read()
        if end[4:] != _MAGIC:
            raise ValueError("it is encrypted" if end[4:] == b"PARE" else "it has no footer")
        length = int.from_bytes(end[:4], "little")
        file.seek(max(0, size_bytes - _END_BYTES - length))
        footer = file.read(length)
    try:
        for group in _Compact(footer).struct().get(_GROUPS, ()):
            for column in group[_COLUMNS]:
                if _ENCRYPTION in column or _COLUMN not in column:
                    raise ValueError("it is encrypted")
                facts = column[_COLUMN]
                name = b".".join(facts[_NAMES]).decode(errors="replace")
                yield Chunk(name, group[_ROWS], facts[_VALUES], facts[_LONG], facts[_STORED])
    except (LookupError, TypeError, AttributeError, RecursionError):
        raise ValueError("its footer is damaged") from None


class _Compact:
    """Reads Thrift's compact protocol; raises IndexError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def struct(self) -> dict[int, Any]:
        """Read a structure: its fields by number."""
        found, number = {}, 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            kind = head & 15
            found[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind)
        return found

    def _value(self, kind: int) -> Any:
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in (_LIST, _SET):
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._varint()
            return [self._value(head & 15) for _ in range(count)]
        if kind == _MAP:
            count = self._varint()
            kinds = self._byte() if count else 0
            return [(self._value(kinds >> 4), self._value(kinds & 15)) for _ in range(count)]
        return self.struct() if kind == _STRUCT else self._integer()

    def _byte(self) -> int:
        self._place += 1
        return self._data[self._place - 1]

    def _bytes(self, count: int) -> bytes:
        self._place += count
        if self._place > len(self._data):
            raise IndexError
        return self._data[self._place - count : self._place]

    def _varint(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 0x80:
            number |= (byte & 0x7F) << shift
            shift += 7
        return number | byte << shift

    def _integer(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)
