"""Pictures that were sent, kept by the hash of their bytes so that they can be asked with again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from http import HTTPStatus
from threading import Lock
from typing import Final

from vecsearch.server.problems import RequestError


class SentPictures:
    """The pictures that were sent or used last, within *budget_bytes*; for any threads."""

    def __init__(self, budget_bytes: int) -> None:
        """Start with none."""
        self._budget, self._size = budget_bytes, 0
        self._kept: Final[OrderedDict[str, bytes]] = OrderedDict()
        self._lock: Final = Lock()

    def keep(self, data: bytes) -> str:
        """Keep a picture, the last one whatever its size; return its name."""
        name = hashlib.sha256(data).hexdigest()[:32]
        with self._lock:
            if name not in self._kept:
                self._size += len(data)
            self._kept[name] = data
            self._kept.move_to_end(name)
            while self._size > self._budget and len(self._kept) > 1:
                _, old = self._kept.popitem(last=False)
                self._size -= len(old)
        return name

    def get(self, name: str) -> bytes:
        """Return a picture; raises RequestError for one that is not kept any more."""
        with self._lock:
            data = self._kept.get(name)
            if data is not None:
                self._kept.move_to_end(name)
                return data
        raise RequestError(
            HTTPStatus.GONE,
            "picture_gone",
            f"the picture {name} is not kept any more",
            hint="send it again",
        )
