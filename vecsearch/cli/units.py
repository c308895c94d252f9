"""Sizes and times as people write them: 4G, 512MiB, 20ms, 1.5s; and as they read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import click

_BYTES: Final = {
    **{prefix: 1000.0**power for power, prefix in enumerate(("", "K", "M", "G", "T"))},
    **{f"{prefix}I": 1024.0**power for power, prefix in enumerate("KMGT", start=1)},
}
_MILLISECONDS: Final = {"US": 1e-3, "MS": 1.0, "S": 1e3}
_NUMBER: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Z]*)\s*", re.IGNORECASE)


def size(text: str) -> float:
    """Read a number of bytes; raises click.BadParameter."""
    factors = {name + byte: factor for name, factor in _BYTES.items() for byte in ("", "B")}
    return _read(text, factors, "write a size as 512M, 4G or 4GiB")


def milliseconds(text: str) -> float:
    """Read a time; raises click.BadParameter."""
    return _read(text, _MILLISECONDS, "write a time as 20ms or 0.5s")


def _read(text: str, factors: Mapping[str, float], hint: str) -> float:
    found = _NUMBER.fullmatch(text)
    factor = factors.get(found[2].upper()) if found else None
    if found is None or factor is None:
        raise click.BadParameter(f"{text!r}; {hint}")
    return float(found[1]) * factor


def written_time(seconds: float) -> str:
    """Write a time with about two digits."""
    for limit, size, unit in ((1, 1e-3, "ms"), (100, 1, "s"), (6000, 60, "min"), (2e5, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds / 86400:.3g} days"
