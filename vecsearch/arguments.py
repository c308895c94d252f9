"""Arguments of the public functions, compared with what their annotations say.

Nearly everything takes a path, a number or an option record; what is none would end in whatever
error Python raises deep inside, and may have begun to write by then.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from functools import cache, wraps
from math import isnan
from numbers import Integral, Real
from typing import Any, Final, ParamSpec, TypeVar, cast

from vecsearch.errors import UsageError, VecsearchError

P = ParamSpec("P")
R = TypeVar("R")

_NAMES: Final = {
    "str": "a text",
    "Path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "Progress": "a function of phase, done and total",
    "None": "None",
}
_RECORDS: Final = ("CollectionMap", "Config", "ImageFilter", "Limits", "Options", "Report")
"""What the names of records end with."""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function raise UsageError for arguments that are not of the annotated types.

    Annotations of other kinds than paths, texts, numbers, sequences of such and records are left
    to the function.
    """
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount :][:1]
    annotations: Mapping[str, str] = function.__annotations__
    takes_rest = bool(code.co_flags & 4)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in zip(names, args, strict=False):
            _check(name, annotations.get(name, ""), value)
        if takes_rest:
            for value in args[len(names) :]:
                _check(rest[0], annotations.get(rest[0], ""), value)
        for name, value in kwargs.items():
            _check(name, annotations.get(name, ""), value)
        with _told_as_own():
            result = function(*args, **kwargs)
        return cast(R, _guarded(result)) if isinstance(result, Generator) else result

    return call


def _guarded(results: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    with _told_as_own():
        yield from results


@contextmanager
def _told_as_own() -> Iterator[None]:
    """Turn what the system refuses, or a text that can be no name, into an error of our own."""
    try:
        yield
    except OSError as error:
        path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
        reason = error.strerror or str(error) or type(error).__name__
        raise VecsearchError(f"{path}: {reason}" if path else reason, path=path or None) from error
    except UnicodeError as error:
        raise UsageError(f"a text cannot be a name: {error}") from error


def check_fields(record: Any) -> None:
    """Raise UsageError if fields of an option record, a dataclass, are not of their types."""
    for field in dataclasses.fields(record):
        _check(field.name, str(field.type), getattr(record, field.name))


def _check(name: str, annotation: str, value: object) -> None:
    kinds = _kinds(annotation)
    if not kinds or any(_is(kind, value) for kind in kinds):
        return
    if isinstance(value, str | os.PathLike) and {"str", "Path"} & {*kinds}:
        raise UsageError(f"{name} has a null character, or half of one: {str(value)!r:.200}")
    told = " or ".join(dict.fromkeys(map(_told, kinds)))
    raise UsageError(f"{name} is {value!r:.200}", hint=f"give {told}")


@cache
def _kinds(annotation: str) -> tuple[str, ...]:
    """Split an annotation into what it allows; nothing for one that is not checked."""
    kinds, depth, start = [], 0, 0
    for place, character in enumerate(f"{annotation} |"):
        depth += (character == "[") - (character == "]")
        if character == "|" and not depth:
            kinds.append(annotation[start:place].strip())
            start = place + 1
    return tuple(kinds) if all(map(_is_known, kinds)) else ()


def _is_known(kind: str) -> bool:
    if kind.startswith("Sequence["):
        return bool(_kinds(kind[len("Sequence[") : -1]))
    return kind in _NAMES or kind.endswith(_RECORDS)


def _is(kind: str, value: object) -> bool:
    if kind.startswith("Sequence["):
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            return False
        inner = _kinds(kind[len("Sequence[") : -1])
        try:
            # Of what can be gone through once only, nothing is taken.
            items = list(value) if isinstance(value, Sized) else []
        except TypeError:  # an array without dimensions
            return False
        return all(any(_is(one, item) for one in inner) for item in items)
    match kind:
        case "None":
            return value is None
        case "str":
            return isinstance(value, str) and _can_be_name(value)
        case "Path":
            return isinstance(value, os.PathLike) and _can_be_name(os.fsdecode(value))
        case "int":
            return isinstance(value, Integral) and not isinstance(value, bool)
        case "float":
            return type(value) is not bool and isinstance(value, Real) and not isnan(value)
        case "bool":
            return (
                isinstance(value, Integral) or type(value).__name__ == "bool"
            )  # numpy has its own
        case "Progress":
            return callable(value)
        case _:
            return any(one.__name__ == kind for one in type(value).__mro__)


def _can_be_name(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeError:
        return False


def _told(kind: str) -> str:
    if kind.startswith("Sequence["):
        return f"several: {_told(_kinds(kind[len('Sequence[') : -1])[0])} each"
    return _NAMES.get(kind, f"a {kind}")


def check_results(results: object) -> None:
    """Raise UsageError unless *results* are such as a query returns."""
    from vecsearch.types import Result

    if not isinstance(results, list | tuple) or not all(isinstance(one, Result) for one in results):
        raise UsageError("results are not those of a query", hint="give what Index.query returns")
