"""The command ``serve``: indexes over HTTP, until a signal comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vecsearch.arguments import check_fields, checked
from vecsearch.errors import UsageError
from vecsearch.search.index import open_index
from vecsearch.server.extra import check_installed
from vecsearch.server.limits import Limits

if TYPE_CHECKING:
    from vecsearch.search.queryable import Queryable

LOGS: Final = ("lines", "json", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Where a server listens, and whom it answers.

    It listens at ``host`` and ``port``; port 0 is any that is free. Beyond this machine it asks for
    a ``token``, which is made at the start if none is given. It answers under its own names, and
    under those of ``allow_hosts``. ``root_path`` is the prefix that a proxy in front takes away.
    ``log`` is how each request is written to standard error: one of `LOGS`.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str = ""
    allow_hosts: Sequence[str] = ()
    root_path: str = ""
    log: str = "lines"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Raise UsageError for values that make no sense."""
        check_fields(self)
        if not 0 <= self.port < 65536:
            raise UsageError(f"the port is {self.port}", hint="give 1 to 65535, or 0 for any")
        if self.log not in LOGS:
            raise UsageError(f"unknown log {self.log!r}", hint=f"known are {', '.join(LOGS)}")
        if self.root_path and (not self.root_path.startswith("/") or self.root_path[-1] == "/"):
            raise UsageError(
                f"the prefix is {self.root_path!r}", hint="it begins with a slash, such as /images"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOptions:
    """That indexes may be changed; pictures that are sent become files in ``add_to``, if given."""

    add_to: str | Path | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for what is no folder."""
        check_fields(self)
        if self.add_to is not None and not Path(self.add_to).is_dir():
            raise UsageError(f"{self.add_to} is no folder", hint="make it first")


@checked
def serve(
    indexes: str | Path | Iterable[str | Path | Queryable] = (),
    options: ServeOptions | None = None,
    *,
    edits: EditOptions | None = None,
    started: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve *indexes*, each under the name of its folder, until SIGINT or SIGTERM.

    They are folders, or open indexes; without any, the only index in ``indexes/``. *started* is
    told the address, with the token if there is one, when connections are taken. What is begun when
    the signal comes is answered within ``limits.grace_s``; then the indexes are closed. Without
    *edits* they are only read.

    Raises UsageError without the extra ``serve``, IndexFolderError or a subclass, VecsearchError if
    the port is taken.
    """
    given = [indexes] if isinstance(indexes, str | Path) else indexes
    if not isinstance(given, Iterable) or any(not _can_be_opened(one) for one in given):
        raise UsageError("indexes are no folders", hint="give folders, or what open_index returns")
    check_installed()
    from vecsearch.server.run import run

    with ExitStack() as stack:
        opened = [
            stack.enter_context(open_index(one) if isinstance(one, str | Path) else one)
            for one in given
        ]
        opened = opened or [stack.enter_context(open_index())]
        run(opened, options or ServeOptions(), edits, started)


def _can_be_opened(index: object) -> bool:
    return isinstance(index, str | Path) or hasattr(index, "query_each")
