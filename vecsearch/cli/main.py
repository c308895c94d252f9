"""The entry point: finds the command, runs it, and turns errors into a line and an exit code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from difflib import get_close_matches
from importlib import import_module
from keyword import iskeyword
from typing import Final, NoReturn

import click

from vecsearch.cli.interrupt import end_within_a_second, was_interrupted
from vecsearch.cli.interrupt_message import interrupted
from vecsearch.cli.output_format import Wanted
from vecsearch.cli.quiet import QUIET, REPORTING
from vecsearch.errors import UsageError, VecsearchError

_COMMANDS: Final = {
    "build": "create an index of a folder of pictures, or bring it up to date",
    "query": "find the pictures most similar to a picture",
    "viz": "draw a map of the collection (t-SNE)",
    "recommend": "find the most similar pictures for every picture",
    "duplicates": "find copies of pictures and move them aside",
    "remove": "take pictures out of an index",
    "relocate": "tell an index that its pictures have moved",
    "info": "show what an index is and what was skipped",
    "list": "list the images of an index with their dates and sizes",
    "words": "list the words that query --word knows",
    "plan": "estimate disk, memory and time of an index before it is built",
    "eval": "measure an index: recall and speed, or quality by labels",
    "verify": "check an index for damage",
    "repair": "repair damage",
    "compact": "free the disk space of removed pictures",
    "reindex": "make the FAISS files again, by another recipe",
    "tune": "choose between speed and recall of a large index",
    "import": "add vectors of another program to an index",
    "export": "write an index's vectors to a file",
    "merge": "unite indexes",
    "collection": "ask several indexes as one",
    "serve": "search in a browser, and over HTTP",
    "demo": "run the main job on sample pictures",
    "config": "show the config files, and what they set",
    "completion": "print the script for shell completion",
}


_GONE: Final = "the current folder is not there any more; go to another"

_MODULES: Final = {"tune": "reindex"}
"""Where a command is that does not have a module of its name."""


_FUNCTIONS: Final = {"list": "list_"}
"""What a command is called that would hide what Python calls so."""

_WITHOUT_CONFIG: Final = ("config", "completion")
"""Commands for which no config file is read: they must work where one is wrong."""

_REPORTING: Final = frozenset(
    [
        *("build", "viz", "remove", "relocate", "compact", "reindex", "tune"),
        *("import", "export", "merge", "demo"),
    ]
)
"""Commands that print nothing but what they did, which --quiet leaves out."""


def _quiet_option() -> click.Option:
    """Make the option that the group and every command have."""
    return click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        envvar="VECSEARCH_QUIET",
        callback=_be_quiet,
        help="No progress, notes or reports; errors alone.",
    )


def _be_quiet(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[QUIET] = True
        ctx.meta[REPORTING] = _REPORTING


class _Commands(click.Group):
    """Imports a command's module when the command is used, and not to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name  # as Python must spell it
        module = _MODULES.get(name, name)
        command = getattr(import_module(f"vecsearch.cli.{module}"), _FUNCTIONS.get(name, name))
        assert isinstance(command, click.Command)
        if not any(param.name == "quiet" for param in command.params):
            command.params.append(_quiet_option())
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            name, command, rest = super().resolve_command(ctx, args)
        except click.UsageError as error:
            alike = get_close_matches(args[0], _COMMANDS)
            if not alike:
                raise
            meant = " or ".join(map(repr, alike))
            raise click.UsageError(f"{error.message} Did you mean {meant}?", ctx) from None
        asks = (
            {"-h", "--help", "--help-all"} & {*rest}
            or name in _WITHOUT_CONFIG
            or ctx.resilient_parsing
        )
        if name and command and not asks:
            from vecsearch.cli.config_file import defaults_for

            ctx.default_map = {name: defaults_for(name, command, rest, list(_COMMANDS))}
        return name, command, rest

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an interrupt is told here, for click would write an empty line too."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            return _interrupted()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version  # takes as long as all of click

        click.echo(f"vecsearch {version('vecsearch')}")
        ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "VECSEARCH"},
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Find similar images in your own collection, by transfer learning. Options are also set by
    VECSEARCH_QUERY_K=10 and the like, and in vecsearch.toml.

    \b
    Examples:
      vecsearch build photos            # makes indexes/photos; again to bring it up to date
      vecsearch query some.jpg -k 10    # the ten most similar pictures
      vecsearch viz -o map.png          # a t-SNE map of the collection
    """


cli.params.append(_quiet_option())


def _interrupted() -> int:
    click.echo(interrupted(), err=True, nl=False)
    return 130


def _has_current_folder() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - only whether there is one
    except OSError:
        return False
    return True


def _show(error: click.ClickException) -> None:
    """Show what click has to say; it repeats what was given as it was given."""
    from vecsearch.cli.output import say
    from vecsearch.view.text import printable

    with io.StringIO() as text:
        error.show(file=text)
        lines = text.getvalue().rstrip("\n").split("\n")
    say("\n".join(map(printable, lines)), err=True)


def main() -> NoReturn:
    """Run the command line: exit code 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    wanted = Wanted(json="--json" in sys.argv)  # also if the options cannot be read
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries' notes to developers
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name that is not text comes out as the bytes that it is.
            utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")
    try:
        result = cli.main(prog_name="vecsearch", standalone_mode=False, obj=wanted)
        if "vecsearch.view.system_fonts" in sys.modules:  # something was drawn
            from vecsearch.cli.output import tell_lacking_fonts

            tell_lacking_fonts()
        if sys.stdout is not None:
            sys.stdout.flush()
        code = result if isinstance(result, int) else 0
    except (click.Abort, KeyboardInterrupt):
        code = _interrupted()
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends in a line
        # What a signal raises, libraries may turn into an error of another kind.
        code = _interrupted() if was_interrupted() else _tell(error, wanted)
    sys.exit(code)


def _tell(error: Exception, wanted: Wanted) -> int:
    """Print in a line on stderr what went wrong, as JSON on stdout too; return the exit code."""
    from vecsearch.cli.output import complain, print_failure

    if isinstance(error, VecsearchError) and isinstance(error.__cause__, OSError):
        error = error.__cause__  # of which more is known here
    kind, code = type(error).__name__, 1
    match error:
        case click.ClickException():
            _show(error)
            kind, message, code = "UsageError", error.format_message(), error.exit_code
        case VecsearchError():
            message = str(error) if _has_current_folder() else f"{error}; {_GONE}"
            code = 2 if isinstance(error, UsageError) else 1
        case BrokenPipeError():
            # The reader, head say, has seen enough; Python must not complain when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            message = f"{where}{error.strerror or error}" if _has_current_folder() else _GONE
            kind = "OSError"
        case MemoryError():
            message = "there is not enough memory for this; nothing that was committed is lost"
        case _:
            from vecsearch.cli.fault import describe_fault, shows_trace

            if shows_trace():
                raise error
            kind, message = "Fault", describe_fault(error)
    if not isinstance(error, click.ClickException):
        complain(message)
    if wanted.json:
        with contextlib.suppress(OSError):  # nobody may be reading
            print_failure(message, kind)
    return code


def run() -> NoReturn:
    """Run the command line as a program of its own, and end without Python's teardown.

    Taking apart OpenVINO and FAISS object by object is an eighth of a query's time; the system
    frees all at once. Nothing is left to do by then: files are closed, locks released.
    """
    try:
        end_within_a_second()
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.flush()
    except KeyboardInterrupt:  # as it began, or while it ended
        code = _interrupted()
    os._exit(code)


if __name__ == "__main__":
    run()
