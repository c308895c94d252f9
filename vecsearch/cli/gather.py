"""Several parameters of a command as one record, for commands that have many."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any


def gathered(**records: type[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Call a function with *records* in place of the parameters that are their fields.

    A field that is no parameter keeps its default.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(**given: Any) -> Any:
            made = {}
            for name, record in records.items():
                own = [field for field in record.__annotations__ if field in given]
                made[name] = record(**{field: given.pop(field) for field in own})
            return function(**given, **made)

        return call

    return decorate
