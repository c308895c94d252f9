"""Records written as JSON objects, read back with every field of its type."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any, Final, TypeVar

T = TypeVar("T")

_MOST: Final = 1 << 53
"""Numbers above are not told apart by every program that writes JSON."""


def read_fields(cls: type[T], text: str) -> T:
    """Make a *cls*, a dataclass of plain fields, of a JSON object; raises ValueError."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("is not a JSON object")
    known = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if strange := found.keys() - known.keys():
        raise ValueError(f"has an unknown field {min(strange)!r:.100}")
    values = {}
    for name, field in known.items():
        if name in found:
            values[name] = _checked(name, str(field.type), found[name])
        elif field.default is dataclasses.MISSING:
            raise ValueError(f"has no {name}")
    return cls(**values)


def _checked(name: str, wanted: str, value: Any) -> Any:
    if wanted.startswith("tuple[") and isinstance(value, list):
        parts = wanted[len("tuple[") : -1].split(", ")
        if parts[-1] == "...":
            parts = parts[:1] * len(value)
        if len(parts) == len(value):
            return tuple(_checked(name, *pair) for pair in zip(parts, value, strict=True))
    elif wanted == "float" and type(value) in (int, float) and abs(value) <= sys.float_info.max:
        return float(value)
    elif (
        (wanted == "int" and type(value) is int and abs(value) <= _MOST)
        or (wanted == "str" and type(value) is str)
        or (wanted == "bool" and type(value) is bool)
    ):
        return value
    raise ValueError(f"has {name} = {value!r:.100}")
