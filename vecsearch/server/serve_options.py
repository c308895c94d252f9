"""What a server is told at its start."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vecsearch.arguments import check_fields
from vecsearch.errors import UsageError
from vecsearch.server.limits import Limits

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
        if self.add_to is not None and not os.path.isdir(self.add_to):  # noqa: PTH112 - never raises
            raise UsageError(f"{self.add_to} is no folder", hint="make it first")
