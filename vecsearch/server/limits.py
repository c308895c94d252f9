"""What a server takes at most, so that no client and no crowd of them can bring it down."""

from __future__ import annotations

from dataclasses import dataclass

from vecsearch.arguments import check_fields
from vecsearch.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a server.

    At most ``in_flight`` requests are worked on; further ones are answered by 503, and so is one
    that takes more than ``answer_s``. A body has at most ``body_bytes``, and all that are read
    together ``bodies_bytes``. Who has not sent a request after ``request_s`` seconds is
    disconnected, and who has sent nothing for ``idle_s`` after an answer. There are at most
    ``connections``. What is begun is ended ``grace_s`` after the signal to stop. Where several ask
    at once, the first waits ``wait_ms`` for the others, so that they are answered together.
    ``sent_bytes`` is the memory for pictures that were sent, and ``kept_bytes`` that for
    thumbnails.
    """

    in_flight: int = 256
    body_bytes: int = 32 << 20
    bodies_bytes: int = 128 << 20
    request_s: float = 20.0
    answer_s: float = 60.0
    idle_s: float = 30.0
    connections: int = 2048
    grace_s: float = 10.0
    wait_ms: float = 2.0
    sent_bytes: int = 64 << 20
    kept_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        """Raise UsageError for values that make no sense."""
        check_fields(self)
        for name in ("in_flight", "body_bytes", "bodies_bytes", "request_s", "connections"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name} is {getattr(self, name)}", hint="give more than 0")
        if self.wait_ms < 0 or self.grace_s < 0:
            raise UsageError("a time is negative", hint="give 0 or more")
