"""One writer at a time: an operating-system lock on the index folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vecsearch.errors import IndexFolderError, IndexLockedError
from vecsearch.store.safe_paths import check_own, check_plain

LOCK_FILE = "writer.lock"
HOLDER_FILE = "writer.json"
_MOST_BYTES = 4096


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold the writer's lock of *folder*, which dies with the process.

    Raises IndexLockedError at once, telling who holds it; IndexFolderError.
    """
    import filelock

    check_own(folder / LOCK_FILE)  # which taking the lock empties
    holder = folder / HOLDER_FILE  # beside the lock, since taking a lock empties its file
    lock = filelock.FileLock(folder / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise IndexLockedError(
            f"{folder} is being written by {_holder(holder)}",
            hint="wait for it to end; queries still work",
            path=folder,
        ) from None
    except OSError as error:
        raise IndexFolderError(
            f"{folder} cannot be written: {error.strerror}", path=folder
        ) from None
    try:
        who = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        with contextlib.suppress(OSError):  # who it is helps others, no more
            holder.unlink(missing_ok=True)
            with holder.open("x") as file:  # never through a link, or into a file of two names
                file.write(json.dumps(who))
        yield
    finally:
        with contextlib.suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> str:
    try:
        check_plain(path)
        with path.open() as file:
            who = json.loads(file.read(_MOST_BYTES))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(who["since"]))
        pid, host = int(who["pid"]), str(who["host"])
        return f"process {pid} on {host} since {since}" if host.isprintable() else "another process"
    except (IndexFolderError, OSError, ArithmeticError, LookupError, TypeError):
        return "another process"
    except (RecursionError, ValueError):
        return "another process"
