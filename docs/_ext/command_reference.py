"""The directive ``command``: a command's usage, options and examples, as click knows them.

A build in which a command is described nowhere, or twice, gets a warning, which ``make docs``
takes for an error.
"""

from __future__ import annotations

import re
from typing import Final

import click
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from vecsearch.cli.help import Command
from vecsearch.cli.main import _COMMANDS, cli

_logger = logging.getLogger(__name__)

EVERYWHERE: Final = frozenset(["--help", "--help-all", "--quiet"])
"""Options that every command has, which the page of all commands describes once."""

_PUNCTUATION: Final = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~$&])")
_CODE: Final = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[a-zA-Z0](?!\w)|'[^' ]+'|\bid:N\b)")
_DEFAULT: Final = re.compile(r"\s*\[default: (?P<default>.*)\]$", re.DOTALL)


class CommandDirective(SphinxDirective):
    """``{command} NAME`` describes ``vecsearch NAME``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of one command."""
        name = self.arguments[0]
        described: dict[str, list[str]] = self.env.domaindata.setdefault("commands", {})
        if self.env.docname not in described.setdefault(name, []):
            described[name].append(self.env.docname)
        root = click.Context(cli, info_name="vecsearch", auto_envvar_prefix="VECSEARCH")
        command = cli.get_command(root, name)
        if command is None:
            raise self.error(f"there is no command {name}")
        context = click.Context(command, info_name=name, parent=root)
        node = nodes.container()
        lines = StringList(describe(command, context), source=f"vecsearch {name}")
        self.state.nested_parse(lines, self.content_offset, node)
        return node.children


class CommandTable(SphinxDirective):
    """``{command-table}`` lists all commands, each with a line and a link."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        context = click.Context(cli)
        lines = ["| command | what it does |", "|---|---|"]
        for name in cli.list_commands(context):
            lines.append(
                f"| {{ref}}`vecsearch {name} <command-{name}>` | {_escaped(_COMMANDS[name])} |"
            )
        node = nodes.container()
        text = StringList(lines, source="the commands")
        self.state.nested_parse(text, self.content_offset, node)
        return node.children


def describe(command: click.Command, context: click.Context) -> list[str]:
    """Return the description of *command* as lines of Markdown."""
    usage = " ".join(command.collect_usage_pieces(context))
    lines = ["```text", f"{context.command_path} {usage}", "```", ""]
    for paragraph in (command.help or "").replace("\b", "").split("\n\n"):
        lines += [_escaped(" ".join(paragraph.split())), ""]
    lines += [f"```{{program}} {context.command_path}", "```", ""]
    rare = command.rare if isinstance(command, Command) else frozenset()
    options = [
        one
        for one in command.get_params(context)
        if isinstance(one, click.Option) and not one.hidden and not _is_everywhere(one)
    ]
    for title, some in (
        ("Options", [one for one in options if one.name not in rare]),
        ("More options", [one for one in options if one.name in rare]),
    ):
        if some:
            lines += [f":::{{rubric}} {title}", ":::", ""]
        for option in some:
            lines += _describe_option(option, context)
    examples = (command.epilog or "").replace("\b", "")
    shown = [line.strip() for line in examples.splitlines() if line.startswith("  ")]
    if shown:
        lines += [":::{rubric} Examples", ":::", "", "```bash", *shown, "```", ""]
    return lines


def _describe_option(option: click.Option, context: click.Context) -> list[str]:
    record = option.get_help_record(context)
    assert record is not None, option.name
    names, text = record
    default = _DEFAULT.search(text)
    facts = [f"Default: {_escaped(default['default'])}."] if default else []
    variable = option.envvar or f"{context.auto_envvar_prefix}_{(option.name or '').upper()}"
    facts.append(f"Environment: `{variable}`.")
    return [
        f"::::{{option}} {names.replace(' / ', ', ')}",
        _escaped(_DEFAULT.sub("", text)),
        "",
        ":::{rst-class} option-facts",
        ":::",
        "",
        " ".join(facts),
        "::::",
        "",
    ]


def _is_everywhere(option: click.Option) -> bool:
    return bool(EVERYWHERE & {*option.opts})


def _escaped(text: str) -> str:
    """Return *text* as Markdown that reads the same, with names of options as code."""
    parts = _CODE.split(text)
    return "".join(
        f"`{part}`" if odd else _PUNCTUATION.sub(r"\\\1", part)
        for part, odd in zip(parts, [False, True] * len(parts), strict=False)
    )


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    for pages in env.domaindata.get("commands", {}).values():
        if docname in pages:
            pages.remove(docname)


def _check(app: Sphinx, env: BuildEnvironment) -> None:
    described = env.domaindata.get("commands", {})
    for name in cli.list_commands(click.Context(cli)):
        if len(described.get(name, [])) != 1:
            _logger.warning(
                "vecsearch %s is described on %d pages, not 1", name, len(described.get(name, []))
            )


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive, and the check that no command is left out."""
    app.add_directive("command", CommandDirective)
    app.add_directive("command-table", CommandTable)
    app.connect("env-purge-doc", _forget)
    app.connect("env-check-consistency", _check)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
