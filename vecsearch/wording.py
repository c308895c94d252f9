"""How numbers and sizes are written in sentences."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: 1 picture, 1,000 pictures."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def written_size(count: float) -> str:
    """Write a number of bytes with three digits."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
