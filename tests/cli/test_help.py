"""What --help shows: no more than a screen, and with --help-all all there is."""

from __future__ import annotations

import re

import click
import pytest
from samples import Run

from vecsearch.cli.main import cli

COMMANDS = cli.list_commands(click.Context(cli))


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def long_options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def visible_options(name: str) -> set[str]:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    names = {name for one in options for name in (*one.opts, *one.secondary_opts)}
    return {one for one in names if one.startswith("--")}


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_screen(command: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*([command] if command else []), "--help").stdout.splitlines()
    assert len(lines) <= 41
    options = [line for line in lines if "vecsearch" not in line]  # examples may be longer
    assert max(map(len, options)) <= 80


@pytest.mark.parametrize("command", ["build", "query", "viz", "recommend", "duplicates", "eval"])
def test_help_all_shows_what_help_leaves_out(command: str, run: Run) -> None:
    short, everything = run(command, "--help").stdout, run(command, "--help-all").stdout
    assert "--help-all" in short
    assert "More examples" not in short + everything
    assert visible_options(command) <= long_options(everything)
    left_out = visible_options(command) - long_options(short)
    assert len(left_out) > 2
    examples = [
        [line for line in text.partition("Examples:")[2].splitlines() if line.strip()]
        for text in (short, everything)
    ]
    assert set(examples[0]) < set(examples[1])
    assert all(line.count(f"vecsearch {command}") == 1 for line in examples[1])


def test_a_rare_option_is_completed_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_VECSEARCH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "vecsearch query --off")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert "plain,--offset" in run("query").stdout
