"""Every number that the command line takes, as what no number of the kind can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from samples import CHEAP, draw

import vecsearch
from vecsearch import VecsearchError
from vecsearch.cli.main import cli

ODD = ("nan", "inf", "-inf", "-1", "0", "1e308", "1" + "0" * 30, "9223372036854775808", "x", "")
ARGUMENTS = {
    "build": ["photos"],
    "query": ["id:1"],
    "plan": ["photos", "--no-calibrate"],
    "import": ["x.npy"],
    "export": ["-o", "y.npy"],
    "merge": ["index"],
    "remove": ["id:1"],
    "viz": ["-o", "m.png", "--method", "pca"],
    "recommend": ["--no-sheets"],
    "completion": ["bash"],
    "serve": ["--host", "192.0.2.1"],  # not of this machine, so that it does not begin
}


def numbers() -> Iterator[tuple[str, str]]:
    """Find the options of all commands that take numbers."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        for param in command.params:
            if isinstance(param.type, click.types.IntParamType | click.types.FloatParamType):
                yield name, param.opts[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, an index of them, and vectors."""
    folder = tmp_path_factory.mktemp("odd")
    for number in range(8):
        draw(folder / "photos" / f"p{number}.png", number)
    vecsearch.build(folder / "photos", index=folder / "index", encoder=CHEAP)
    np.save(folder / "x.npy", np.eye(4, dtype=np.float32))
    return folder


@pytest.mark.parametrize(("command", "option"), sorted(numbers()))
def test_an_odd_number_ends_in_a_line(
    command: str, option: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VECSEARCH_INDEX", "index")
    for value in ODD:
        given = f"{option}={value}" if option.startswith("--") else f"{option}{value}"
        reason = ""
        try:
            cli.main([command, given, *ARGUMENTS.get(command, [])], standalone_mode=False)
        except (VecsearchError, click.ClickException) as error:
            reason = str(error)
        assert len(reason.splitlines()) <= 1, given
