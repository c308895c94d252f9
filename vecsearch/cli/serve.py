"""The command ``serve``."""

from __future__ import annotations

import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import click

from vecsearch.cli.gather import gathered
from vecsearch.cli.help import Command
from vecsearch.cli.interrupt import leave_to_others
from vecsearch.cli.open import open_queryable
from vecsearch.cli.options import PATH, Number, fetch_option
from vecsearch.cli.output import note
from vecsearch.errors import UsageError

_MEBI: Final = 1 << 20


class _Where(NamedTuple):
    """Where it listens, and whom it answers."""

    host: str
    port: int
    token: str
    allow_host: tuple[str, ...]
    root_path: str
    log: str


class _Limits(NamedTuple):
    """What it takes at most."""

    in_flight: int
    connections: int
    max_body: int
    wait_ms: float


@click.command(
    cls=Command,
    rare=(
        *("allow_host", "root_path", "log", "in_flight", "max_body", "wait_ms", "connections"),
        *("add_to", "fetch"),
    ),
    epilog="""\b
Examples:
  vecsearch serve --open
  vecsearch serve -i indexes/photos -i indexes/food --port 8080
  vecsearch serve --host 0.0.0.0               # asks for a token, and prints it

More examples:
  vecsearch serve --allow-edits --add-to photos/new
  vecsearch serve --root-path /images --allow-host www.example.org --log json
""",
)
@click.option(
    "-i",
    "--index",
    "indexes",
    type=PATH,
    multiple=True,
    envvar="VECSEARCH_INDEX",
    help="An index folder; repeatable.  [default: the only one in indexes/]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8765, show_default=True, help="The port; 0 for one that is free.")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--token",
    default="",
    envvar="VECSEARCH_TOKEN",
    metavar="TEXT",
    help="Whoever asks has to have it.  [default: none on this machine, else a new one]",
)
@click.option(
    "--read-only/--allow-edits",
    default=True,
    help="Whether images can be added, removed and updated.  [default: read-only]",
)
@click.option(
    "--add-to", type=PATH, metavar="FOLDER", help="Where added pictures go; below a source."
)
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="Another name of this server; repeatable."
)
@click.option(
    "--root-path", default="", metavar="/PREFIX", help="What a proxy in front takes away."
)
@click.option(
    "--log",
    type=click.Choice(("lines", "json", "none")),
    default="lines",
    show_default=True,
    help="How requests are written to standard error.",
)
@click.option(
    "--in-flight", default=256, show_default=True, help="More requests at once are answered by 503."
)
@click.option(
    "--connections", default=2048, show_default=True, help="Of more, the slowest are closed."
)
@click.option("--max-body", default=32, show_default=True, help="MiB that a picture may have.")
@click.option(
    "--wait-ms",
    type=Number(min=0, max=1000),
    default=2.0,
    show_default=True,
    help="Where several ask at once, how long the first waits for the others.",
)
@fetch_option
@gathered(where=_Where, given_limits=_Limits)
def serve(
    indexes: tuple[Path, ...],
    where: _Where,
    given_limits: _Limits,
    opens: bool,
    read_only: bool,
    add_to: Path | None,
    fetch: bool,
) -> None:
    """Answer queries over HTTP, with a page to search in, until Ctrl-C.

    Indexes are only read unless --allow-edits is given, and answer from their newest state while
    other commands change them. Beyond this machine a token is asked for. The API is described at
    /api/docs.
    """
    if add_to is not None and read_only:
        raise UsageError("--add-to is about edits", hint="add --allow-edits")
    from vecsearch.server.limits import Limits
    from vecsearch.server.serve import serve as serve_indexes
    from vecsearch.server.serve_options import EditOptions, ServeOptions

    limits = Limits(
        in_flight=given_limits.in_flight,
        connections=given_limits.connections,
        body_bytes=given_limits.max_body * _MEBI,
        wait_ms=given_limits.wait_ms,
    )
    options = ServeOptions(
        host=where.host,
        port=where.port,
        token=where.token,
        allow_hosts=where.allow_host,
        root_path=where.root_path,
        log=where.log,
        limits=limits,
    )

    def started(url: str) -> None:
        note(f"vecsearch: serving at {url} (Ctrl-C ends it)", err=True)
        if opens:
            webbrowser.open(url)

    edits = None if read_only else EditOptions(add_to=add_to)
    with ExitStack() as stack:
        opened = [
            stack.enter_context(open_queryable(one, fetch=fetch)) for one in indexes or [None]
        ]
        leave_to_others()
        serve_indexes(opened, options, edits=edits, started=started)
