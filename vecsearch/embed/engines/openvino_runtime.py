"""The import of OpenVINO, without its model converter and usage reporting.

``import openvino`` also imports the converter for other frameworks' models, which vecsearch does
not use, and with it a client that reports usage over the network. Left out, the import takes about
a third of the time (53 ms for 147), and there is nothing that could send anything. NNCF, which
quantises, reports through the same client and goes without it likewise.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LEFT_OUT = ("openvino.tools.ovc", "openvino_telemetry")


@contextmanager
def without_reporting() -> Iterator[None]:
    """Let imports of the converter and of the reporting client fail, as if not installed."""
    hidden = [name for name in _LEFT_OUT if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _import() -> Any:
    with without_reporting():
        import openvino
    return openvino


def _prime() -> None:
    """Make OpenVINO's binding look numpy up during the import, when only one thread can use it.

    It does so at its first array, in a static of C++ that is guarded by a lock: a second thread
    that comes to it meanwhile waits for the lock and holds Python's own, for ever.
    """
    import numpy as np

    _ = ov.Tensor(np.zeros(1, np.uint8)).data


ov = _import()
_prime()
