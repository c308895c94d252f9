"""Seeded damage to a picture file: what disks, networks, programs and people do to one."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, Literal

import numpy as np

from durability.gallery import HEIGHT, WIDTH

Random = np.random.RandomState
_HEADER_BYTES: Final = 160
_EXTREMES: Final = (0, 1, 2, 255, 256, 7900, 16383, 32767, 65535, 0x7FFFFFFF, 0xFFFFFFFF)


def mutate(data: bytes, other: bytes, random: Random) -> bytes:
    """Damage *data* in one to three ways; *other* is another picture to take parts from."""
    damaged = data
    for _ in range(random.randint(1, 4)):
        damaged = _WAYS[random.randint(len(_WAYS))](damaged, other, random)
    return _with_right_checksums(damaged) if random.randint(2) else damaged


def _place(data: bytes, random: Random) -> int:
    """Choose a place, every other time in the header, where it matters most."""
    end = min(len(data), _HEADER_BYTES) if random.randint(2) else len(data)
    return int(random.randint(max(1, end)))


def _part(data: bytes, random: Random) -> tuple[int, int]:
    start = _place(data, random)
    return start, start + 1 + int(random.randint(1 + min(200, len(data))))


def _flip_bits(data: bytes, other: bytes, random: Random) -> bytes:
    damaged = bytearray(data or b"\0")
    for _ in range(random.randint(1, 17)):
        damaged[_place(data, random)] ^= 1 << random.randint(8)
    return bytes(damaged)


def _truncate(data: bytes, _: bytes, random: Random) -> bytes:
    return data[: _place(data, random)]


def _splice(data: bytes, other: bytes, random: Random) -> bytes:
    return data[: _place(data, random)] + other[_place(other, random) :]


def _concatenate(data: bytes, other: bytes, random: Random) -> bytes:
    return data + other if random.randint(2) else other + data


def _insert(data: bytes, _: bytes, random: Random) -> bytes:
    start, end = _part(data, random)
    return data[:start] + random.bytes(end - start) + data[start:]


def _delete(data: bytes, _: bytes, random: Random) -> bytes:
    start, end = _part(data, random)
    return data[:start] + data[end:]


def _repeat(data: bytes, _: bytes, random: Random) -> bytes:
    start, end = _part(data, random)
    return data[:start] + data[start:end] * int(random.randint(2, 40)) + data[end:]


def _zero(data: bytes, _: bytes, random: Random) -> bytes:
    start, end = _part(data, random)
    return data[:start] + bytes(len(data[start:end])) + data[end:]


def _change_number(data: bytes, _: bytes, random: Random) -> bytes:
    """Put another number where one may be: a length, an offset, a count."""
    return _overwrite(data, _place(data, random), int(2 ** random.randint(3)), random)


def _change_size(data: bytes, _: bytes, random: Random) -> bytes:
    """Put another number where the width or the height stands."""
    number = (WIDTH, HEIGHT)[random.randint(2)]
    spellings = [number.to_bytes(length, order) for length in (4, 2) for order in ("big", "little")]
    for spelling in (spellings[i] for i in random.permutation(len(spellings))):
        place = data.find(spelling)
        if place >= 0:
            return _overwrite(data, place, len(spelling), random)
    return data


def _overwrite(data: bytes, place: int, length: int, random: Random) -> bytes:
    number = _EXTREMES[random.randint(len(_EXTREMES))]
    number = (number + int(random.randint(-1, 2))) % (1 << 8 * length)
    order: Literal["big", "little"] = "big" if random.randint(2) else "little"
    return data[:place] + number.to_bytes(length, order) + data[place + length :]


def _with_right_checksums(data: bytes) -> bytes:
    """Return the chunks of a PNG, wherever it begins, the checksums that go with their content."""
    start = data.find(b"\x89PNG\r\n\x1a\n")
    mended = bytearray(data)
    place = start + 8
    while start >= 0 and place + 12 <= len(mended):
        end = place + 8 + int.from_bytes(mended[place : place + 4], "big")
        if end + 4 > len(mended):
            break
        mended[end : end + 4] = zlib.crc32(mended[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(mended)


_WAYS: Final[tuple[Callable[[bytes, bytes, Random], bytes], ...]] = (
    *(_flip_bits, _flip_bits, _truncate, _splice, _concatenate, _insert, _delete, _repeat, _zero),
    *(_change_number, _change_number, _change_size, _change_size),
)
