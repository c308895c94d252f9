"""Seeded mutants of files of any format: damage to bytes, to text, and within what is packed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from durability.mutate import mutate as mutate_bytes

Random = np.random.RandomState
Pack = Callable[[Mapping[str, bytes]], bytes]

_NUMBER: Final = re.compile(rb"-?\d+(?:\.\d+)?")
_TOKEN: Final = re.compile(rb"[A-Za-z0-9_.<>|-]+")
_DEEP: Final = (10, 1_000, 100_000)
_OPENINGS: Final = (b"[", b'{"a":', b"(", b"<a>", b"-", b"\\")
_LONG: Final = (300, 20_000)
_TOKEN_BYTES: Final = 64
_ENCODINGS: Final = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-7")
_NUMBERS: Final = (
    *(b"0", b"-1", b"1", b"2", b"007", b"255", b"65536", b"2147483648", b"4294967296"),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"1e999", b"-1e999"),
    *(b"1e-999", b"0.1", b"-0.0", b"9" * 400, b"9" * 5000, b"0x10", b"1_0", b"True"),
)
_AWKWARD: Final = (
    *(b"NaN", b"Infinity", b"-Infinity", b"nan", b"inf", b"null", b"None", b"true", b'""', b"''"),
    *(b"../../x", b"/etc/passwd", b"id:1", b"\\ud800", b"\\u0000", b"\0", b"\xff\xfe", b"\xc3"),
    *(b"\n", b"\r", b"\t", b"\x1b[31m", "\u202e".encode(), b"|O", b">f4", b"<U9", b"|V2", b"<c16"),
    *(b"<f16", b"|S0", b"<M8[ns]", b"(2,2)f4", b'"', b"'", b",", b";", b"%s", b"{0}", b" " * 99),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A good file called *name*: its *parts*, and what packs them into one, checksums and all."""

    name: str
    parts: Mapping[str, bytes]
    pack: Pack

    @classmethod
    def plain(cls, name: str, data: bytes) -> Sample:
        """Make a sample of one part."""
        return cls(name, {"": data}, lambda parts: parts[""])

    def whole(self) -> bytes:
        """Return the good file."""
        return self.pack(self.parts)


def mutant(sample: Sample, others: Sequence[bytes], random: Random) -> bytes:
    """Damage a sample in one to three ways, within a part or after packing."""
    other = others[random.randint(len(others))]
    if len(sample.parts) > 1 and random.randint(2):
        parts = dict(sample.parts)
        for _ in range(random.randint(1, 3)):
            name = list(parts)[random.randint(len(parts))]
            parts[name] = _damaged(parts[name], other, random)
        return sample.pack(parts)
    return _damaged(sample.whole(), other, random)


def _damaged(data: bytes, other: bytes, random: Random) -> bytes:
    if random.randint(2):
        return mutate_bytes(data, other, random)
    for _ in range(random.randint(1, 4)):
        data = _WAYS[random.randint(len(_WAYS))](data, other, random)
    return data


def _replace(data: bytes, pattern: re.Pattern[bytes], new: bytes, random: Random) -> bytes:
    """Put *new* in the place of a match near a random place, or there."""
    start = int(random.randint(len(data) + 1)) if random.randint(2) else 0
    found = list(pattern.finditer(data[start : start + 4096]))
    if not found:
        return data[:start] + new + data[start:]
    one = found[random.randint(len(found))]
    return data[: start + one.start()] + new + data[start + one.end() :]


def _change_number(data: bytes, _: bytes, random: Random) -> bytes:
    return _replace(data, _NUMBER, _NUMBERS[random.randint(len(_NUMBERS))], random)


def _change_token(data: bytes, _: bytes, random: Random) -> bytes:
    return _replace(data, _TOKEN, _AWKWARD[random.randint(len(_AWKWARD))], random)


def _take_token(data: bytes, other: bytes, random: Random) -> bytes:
    tokens = _TOKEN.findall((other if random.randint(3) == 0 else data)[:65536]) or [b"x"]
    return _replace(data, _TOKEN, tokens[random.randint(len(tokens))], random)


def _nest(data: bytes, _: bytes, random: Random) -> bytes:
    opening = _OPENINGS[random.randint(len(_OPENINGS))]
    closing = {b"[": b"]", b'{"a":': b"}", b"(": b")", b"<a>": b"</a>"}.get(opening, b"")
    depth = _DEEP[random.randint(len(_DEEP))]
    return _replace(data, _TOKEN, opening * depth + b"1" + closing * depth, random)


def _lengthen(data: bytes, _: bytes, random: Random) -> bytes:
    tokens = _TOKEN.findall(data[:65536]) or [b"x"]
    token = tokens[random.randint(len(tokens))][:_TOKEN_BYTES]
    return _replace(data, _TOKEN, token * _LONG[random.randint(len(_LONG))], random)


def _encode(data: bytes, _: bytes, random: Random) -> bytes:
    return data.decode("latin-1").encode(_ENCODINGS[random.randint(len(_ENCODINGS))])


def _shuffle_lines(data: bytes, _: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    return b"\n".join(lines[place] for place in random.randint(len(lines), size=len(lines)))


def _be_another(_: bytes, other: bytes, random: Random) -> bytes:
    return other


_WAYS: Final[tuple[Callable[[bytes, bytes, Random], bytes], ...]] = (
    *(_change_number, _change_number, _change_number, _change_token, _change_token, _take_token),
    *(_nest, _lengthen, _encode, _shuffle_lines, _be_another),
)
