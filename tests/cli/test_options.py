"""One name for one thing: an option means the same in every command that has it."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import click
import pytest

from vecsearch.cli.main import cli

DIFFERENT: Final = {
    (
        "-i",
        "build",
        "import",
        "merge",
        "serve",
    ): "an index that these make may be new, so no other is meant; several are served",
    ("--open", "serve"): "what is opened: hits, or the page",
    ("-o", "export", "viz", "recommend", "demo"): "what each writes: a file, a picture, a folder",
    ("-k", "eval"): "recall is counted among 10, and --labels takes several",
    (
        "--format",
        "query",
        "recommend",
        "duplicates",
        "list",
        "words",
        "info",
    ): "not all are lists of paths",
    ("--null", "build", "query"): "what the null bytes end: each has another list",
    ("--sheet", "query", "eval"): "what is drawn: hits, or the worst queries",
    ("--ids", "import", "export"): "read for each of several files, or written for one",
    ("--dtype", "import", "export"): "what is read may be of more types than what is written",
    ("--threshold", "duplicates"): "the same cosine, but it takes the place of a look at pixels",
    ("--recipe", "build"): "an index that is there keeps its own",
}
"""Options that differ, the commands that do not have what all others have, and why."""


def options() -> dict[str, dict[str, click.Option]]:
    """Find, by the name of an option, the commands that have it."""
    context = click.Context(cli)
    found: dict[str, dict[str, click.Option]] = defaultdict(dict)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        for param in command.params:
            if isinstance(param, click.Option):
                for option in (*param.opts, *param.secondary_opts):
                    found[option][name] = param
    return found


OPTIONS: Final = options()


def meaning(option: click.Option) -> tuple[object, ...]:
    """Return all that a user sees of it, apart from a help that points at another command's."""
    described = option.to_info_dict()
    described.pop("name"), described.pop("help")
    words = option.help or ""
    return (described, "" if words.startswith("As for ") else words)


@pytest.mark.parametrize(
    "name", sorted(name for name, commands in OPTIONS.items() if len(commands) > 1)
)
def test_an_option_means_the_same_everywhere(name: str) -> None:
    commands = OPTIONS[name]
    key = next((key for key in DIFFERENT if key[0] in next(iter(commands.values())).opts), (name,))
    alike = {command: option for command, option in commands.items() if command not in key}
    if alike:
        meanings = [meaning(option) for option in alike.values()]
        words = {one[1] for one in meanings} - {""}
        assert len(words) == 1, f"{name} has several helps: {words}"
        for command, one in zip(alike, meanings, strict=True):
            assert one[0] == meanings[0][0], f"{name} of {command} differs from {next(iter(alike))}"
    assert len({option.param_type_name for option in commands.values()}) == 1


def test_what_differs_is_still_there_and_has_a_reason() -> None:
    for (name, *commands), why in DIFFERENT.items():
        assert set(commands) <= set(OPTIONS[name]), name
        assert len(OPTIONS[name]) > 1, f"{name} differs from nothing"
        assert why


def test_short_and_long_names_go_together() -> None:
    """``-o`` is nowhere another thing than ``--output``, nor ``-i`` than ``--index``."""
    for short in (name for name in OPTIONS if not name.startswith("--")):
        names = {tuple(option.opts) for option in OPTIONS[short].values()}
        assert len(names) == 1, f"{short} is {names}"
        for long in next(iter(names)):
            assert OPTIONS[long].keys() == OPTIONS[short].keys(), f"{long} is not always {short}"
