"""What the documentation says is there, and short. That its links lead somewhere: ``make docs``."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from vecsearch.cli.main import cli

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for path in (
        *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING")),
        *(ROOT / "docs").rglob("*.md"),
    )
    if "_build" not in path.parts
)
REFERENCE = ROOT / "docs" / "reference" / "commands"
CONTEXT = click.Context(cli, info_name="vecsearch", auto_envvar_prefix="VECSEARCH")
COMMANDS = cli.list_commands(CONTEXT)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def found(name: str) -> click.Command:
    command = cli.get_command(CONTEXT, name)
    assert command is not None, name
    return command


def commands_of(page: Path) -> list[list[str]]:
    """Find the commands of *page*, without the name of the program, as a shell splits them."""
    lines = re.findall(r"^ *(?:\$ )?(?:.*\| )?vecsearch (.*)$", page.read_text(), re.MULTILINE)
    given = [shlex.split(line, comments=True) for line in lines if line[:1].isalpha()]
    return [
        args[: next((at for at, one in enumerate(args) if one in ("|", ">", ">>")), None)]
        for args in given
        if args[0] in COMMANDS
    ]


def test_the_readme_is_read_in_a_minute() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 120


def test_the_architecture_names_every_folder_and_only_files_that_are_there() -> None:
    package = ROOT / "vecsearch"
    text = (ROOT / "ARCHITECTURE.md").read_text()
    folders = {path.name for path in package.iterdir() if path.is_dir() and "__" not in path.name}
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert folders <= {name for title in titles for name in re.findall(r"(\w+)/", title)}
    assert all(title.endswith("?") for title in titles if "/:" in title)
    there = {path.name for path in package.rglob("*.py")}
    for name in re.findall(r"`([\w/]+\.py)`", text):
        found = (package / name).exists() or (ROOT / name).exists()
        assert found if "/" in name else name in there, name


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_cell_of_a_table_has_two_lines_at_most(page: Path) -> None:
    rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    cells = [cell.strip() for row in rows for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    assert [cell for cell in cells if len(cell) > 72] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_options_in_examples_are_there(page: Path) -> None:
    for name, *args in commands_of(page):
        context = click.Context(found(name), info_name=name, parent=CONTEXT)
        try:
            found(name).make_parser(context).parse_args(args)
        except click.UsageError as error:
            pytest.fail(f"vecsearch {name} {shlex.join(args)}: {error.message}")


def test_each_command_is_described_once() -> None:
    pages = "".join(page.read_text() for page in REFERENCE.glob("*.md"))
    described = re.findall(r"^```\{command\} (\S+)$", pages, re.MULTILINE)
    assert sorted(described) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_has_every_option_and_example(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    from command_reference import EVERYWHERE, describe

    command = found(name)
    context = click.Context(command, info_name=name, parent=CONTEXT)
    lines = describe(command, context)
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    for option in options:
        if not EVERYWHERE & {*option.opts}:
            title = next(
                line for line in lines if line.startswith(f"::::{{option}} {option.opts[0]}")
            )
            assert all(name in title for name in (*option.opts, *option.secondary_opts))
    assert f"vecsearch {name}" in lines[lines.index("```bash") + 1]
