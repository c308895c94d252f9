"""Whether what a server needs is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from vecsearch.errors import UsageError

_NEEDED: Final = ("httptools", "msgspec", "prometheus_client", "starlette", "uvicorn")


def check_installed() -> None:
    """Raise UsageError if the extra is not installed."""
    if lacking := [name for name in _NEEDED if find_spec(name) is None]:
        raise UsageError(
            f"serving needs {', '.join(lacking)}", hint="pip install 'vecsearch[serve]'"
        )
