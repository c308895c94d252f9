"""Config files: what one always wants of a command, as TOML."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final

import click

from vecsearch.errors import UsageError
from vecsearch.store.locate import INDEXES

NAME: Final = "vecsearch.toml"
COMMON: Final = ("index", "json", "quiet", "fetch")
"""Options that may stand before the tables, for every command that has them."""

_VARIABLE: Final = "VECSEARCH_CONFIG"
_NO_SETTINGS: Final = ("help", "help-all", "version")
_MOST_BYTES: Final = 64 << 10

_ENCODER: Final = ("model", "layer", "pool", "dim", "precision", "engine")
_ANSWERS: Final = ("k", "threshold", "expand", "rerank", "preview", "preview-mode")
_HARMLESS: Final[Mapping[str, Sequence[str]]] = {
    "": ("json", "quiet"),
    "build": (*_ENCODER, "recipe", "decode", "commit-images", "commit-seconds"),
    "eval": ("k", "expand", "rerank", "sample"),
    "plan": (*_ENCODER, "memory", "latency", "calibrate"),
    "query": (*_ANSWERS, "include-self", "format"),
    "recommend": _ANSWERS,
    "viz": ("method", "color", "perplexity", "seed"),
    "words": ("count",),
}
"""What a file beside an index may set, by command. The folder may come from somebody else, so it is
what changes how much is computed and how it is shown: nothing that names a file or a URL to read,
write or fetch, that decides what leaves the index or is moved, or that lifts a limit of safety."""

_NEW_ONLY: Final = frozenset(["model", "layer", "pool", "dim", "weights", "precision", "recipe"])
"""Options of `build` that a config file sets for new indexes: one that exists has its own."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A config file: where it is, whose it is, and its tables, "" for what stands before them.

    ``found`` is False if it is not there. It is ``beside`` an index, or else the user's own.
    """

    path: Path
    beside: bool
    found: bool = False
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def config_files(
    index: Path | None, commands: Sequence[str], *, index_too: bool = True
) -> Iterator[ConfigFile]:
    """Read the user's file, then that beside the index; raises UsageError.

    *index* is the one that was named, if any; else the user's file may name one.
    """
    own = _user_file()
    if own is not None:
        file = _read(own, commands, beside=False)
        if os.environ.get(_VARIABLE) and not file.found:
            raise UsageError(f"{_VARIABLE} is {own}, and there is no such file", path=own)
        yield file
        named = file.tables.get("", {}).get("index")
        index = index or (Path(named) if isinstance(named, str) and named else None)
    if index_too:
        folder = Path(os.path.normpath(index)).parent if index is not None else INDEXES
        if own is None or folder.absolute() / NAME != own.absolute():
            yield _read(folder / NAME, commands, beside=True)


def defaults_for(
    name: str, command: click.Command, args: Sequence[str], commands: Sequence[str]
) -> dict[str, Any]:
    """Return what config files set for a command, by the names that its function has.

    *args* are those of the command, which may name the index. Raises UsageError.
    """
    ctx = click.Context(command, info_name=name, resilient_parsing=True)
    options = _options(command, ctx)
    chosen: dict[str, Any] = {}
    for file in config_files(_named_index(options, args, ctx), commands):
        for table in ("", name):
            for key, value in file.tables.get(table, {}).items():
                if table or key in options or key not in COMMON:
                    param, checked = _checked(file, table, key, value, options, ctx)
                    chosen[param] = checked
    return {param: value for param, value in chosen.items() if value is not None}


def check_file(file: ConfigFile, name: str, command: click.Command) -> None:
    """Raise UsageError if the table of a command sets what cannot be set."""
    ctx = click.Context(command, info_name=name, resilient_parsing=True)
    options = _options(command, ctx)
    for key, value in file.tables.get(name, {}).items():
        _checked(file, name, key, value, options, ctx)


def is_for_new_only(param: str) -> bool:
    """Return whether what a config file sets of an option of `build` is for new indexes."""
    return param in _NEW_ONLY


def _user_file() -> Path | None:
    if chosen := os.environ.get(_VARIABLE):
        return Path(chosen)
    import platformdirs

    try:
        return platformdirs.user_config_path("vecsearch", appauthor=False) / NAME
    except RuntimeError:  # no home
        return None


def _read(path: Path, commands: Sequence[str], *, beside: bool) -> ConfigFile:
    """Read a file; raises UsageError for one that cannot be meant."""
    # The user's own may be a link, as those are who keep such files in one place.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
    flags |= getattr(os, "O_NOFOLLOW", 0) if beside else 0
    try:
        handle = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return ConfigFile(path, beside)
    except (OSError, ValueError) as error:
        is_link = getattr(error, "errno", 0) == errno.ELOOP
        reason = "it is a link" if is_link else getattr(error, "strerror", None) or str(error)
        raise _refused(path, reason) from None
    with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
        if not S_ISREG(os.fstat(handle).st_mode):
            raise _refused(path, "it is no regular file")
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise _refused(path, f"it has more than {_MOST_BYTES >> 10} KiB")
    import tomllib

    try:
        found = tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        told = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise _refused(path, told) from None
    tables: dict[str, dict[str, Any]] = {"": {}}
    for key, value in found.items():
        if isinstance(value, dict):
            if key not in commands:
                raise _unknown(path, f"[{key}]", "command", key, commands)
            tables[key] = value
        else:
            tables[""][key] = value
    for key, value in tables[""].items():
        if key not in COMMON:
            raise _unknown(path, key, "option of all commands", key, COMMON, tables_too=True)
        if beside and key not in _HARMLESS[""]:
            raise _not_beside(path, key)
        if type(value) is not (str if key == "index" else bool):
            hint = "give true or false" if key != "index" else "give the folder of an index"
            raise UsageError(f"{path}: {key} is {value!r:.100}", hint=hint, path=path)
    return ConfigFile(path, beside, True, tables)


def _refused(path: Path, reason: str) -> UsageError:
    return UsageError(f"the config file {path} cannot be used: {reason}", path=path)


def _not_beside(path: Path, where: str) -> UsageError:
    return UsageError(
        f"{path}: {where} cannot be set beside an index, which may be somebody else's",
        hint=f"set it in {_user_file() or 'a file that VECSEARCH_CONFIG names'}",
        path=path,
    )


def _unknown(
    path: Path, where: str, what: str, key: str, known: Sequence[str], *, tables_too: bool = False
) -> UsageError:
    alike = get_close_matches(key, known)
    hint = f"did you mean {alike[0]}?" if alike else f"known are {', '.join(known)}"
    if tables_too:
        hint += "; the options of one command stand in its table, such as [query]"
    return UsageError(f"{path}: {where} is no {what}", hint=hint, path=path)


def _options(command: click.Command, ctx: click.Context) -> dict[str, click.Option]:
    """Map the names that options have in a file to them."""
    params = [one for one in command.get_params(ctx) if isinstance(one, click.Option)]
    options: dict[str, click.Option] = {}
    for param in params:
        long = [name for name in param.opts if name.startswith("--")] or param.opts
        options |= {name.lstrip("-"): param for name in long}
    return {
        name: param
        for name, param in options.items()
        if name not in ("help", "help-all", "version")
    }


def _named_index(
    options: Mapping[str, click.Option], args: Sequence[str], ctx: click.Context
) -> Path | None:
    """Find the index that the command line or the environment names; the rest is not looked at."""
    if "index" not in options:
        return None
    param = options["index"]
    try:
        values, _, _ = ctx.command.make_parser(ctx).parse_args(list(args))
    except click.UsageError:  # it is told when the command is parsed
        values = {}
    named = values.get(param.name or "") or param.value_from_envvar(ctx)
    return Path(named) if isinstance(named, str) and named else None


def _checked(
    file: ConfigFile,
    table: str,
    key: str,
    value: Any,
    options: Mapping[str, click.Option],
    ctx: click.Context,
) -> tuple[str, Any]:
    """Return the name and value of an option that a file sets; None for a flag that is off."""
    where = f"[{table}] {key}" if table else key
    name = key.replace("_", "-")
    if name not in options:
        raise _unknown(file.path, where, f"option of {ctx.info_name}", name, sorted(options))
    if file.beside and name not in _HARMLESS.get(table, ()):
        raise _not_beside(file.path, where)
    param = options[name]
    assert param.name is not None
    if param.multiple and not isinstance(value, list):
        value = [value]
    if not all(_is_of_type(param, one) for one in (value if param.multiple else [value])):
        raise UsageError(
            f"{file.path}: {where} is {value!r:.100}",
            hint=f"give {_type_name(param)}",
            path=file.path,
        )
    try:
        param.type_cast_value(ctx, value)
    except click.BadParameter as error:
        raise UsageError(f"{file.path}: {where}: {error.message}", path=file.path) from None
    is_off = param.is_flag and value is False and not param.secondary_opts
    return param.name, None if is_off else value


def _is_of_type(param: click.Option, value: object) -> bool:
    if param.is_flag:
        return type(value) is bool
    if isinstance(param.type, click.types.IntParamType):
        return type(value) is int
    if isinstance(param.type, click.types.FloatParamType):
        return type(value) in (int, float)
    return type(value) is str


def _type_name(param: click.Option) -> str:
    if param.is_flag:
        return "true or false"
    if isinstance(param.type, click.types.IntParamType):
        one = "a whole number"
    elif isinstance(param.type, click.types.FloatParamType):
        one = "a number"
    else:
        one = 'a text in quotation marks, such as "text"'
    return f"{one}, or a list of such" if param.multiple else one
