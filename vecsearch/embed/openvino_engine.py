"""The encoder on a CPU, by OpenVINO."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

import numpy as np
import openvino as ov

from vecsearch.errors import IndexDamagedError
from vecsearch.types import Pixels, Vectors

T = TypeVar("T")

_HINTS: Final = {"fp32": "f32", "bf16": "bf16"}


def has_bf16() -> bool:
    """Tell whether this CPU multiplies bfloat16 natively."""
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVINOEngine:
    """Runs a model of `vecsearch.embed.graph` on the CPU.

    ``latency=True`` suits single queries: all cores work on one picture. Otherwise several
    batches are in flight.
    """

    name = "openvino"

    def __init__(self, model: ov.Model, precision: str, *, latency: bool = False) -> None:
        """Compile *model* for *precision* (``fp32`` or ``bf16``)."""
        config: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY" if latency else "THROUGHPUT",
        }
        self._compiled = ov.Core().compile_model(model, "CPU", config)

    def embed(self, pixels: Pixels) -> Vectors:
        """(n, 224, 224, 3) uint8 RGB -> (n, d) float32 of unit length."""
        return np.array(self._compiled(pixels)[0])

    def stream(self, batches: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[T, Vectors]]:
        """Embed tagged batches, as many at once as the device has streams; in order."""
        count = self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        idle = [self._compiled.create_infer_request() for _ in range(count)]
        busy: deque[tuple[T, ov.InferRequest]] = deque()

        def finish() -> tuple[T, Vectors]:
            tag, request = busy.popleft()
            request.wait()
            idle.append(request)
            return tag, np.array(request.get_output_tensor().data)

        for tag, pixels in batches:
            if not idle:
                yield finish()
            request = idle.pop()
            request.start_async(pixels)
            busy.append((tag, request))
        while busy:
            yield finish()


def read_model(xml: bytes, weights: bytes) -> ov.Model:
    """Read a serialised model; raises IndexDamagedError."""
    try:
        return ov.Core().read_model(xml, ov.Tensor(np.frombuffer(weights, np.uint8)))
    except RuntimeError as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise IndexDamagedError(f"the encoder of the index cannot be read ({reason})") from None
