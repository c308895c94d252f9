"""The encoder on a CPU, by OpenVINO."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from vecsearch.embed.engines.compile_cache import compile_cached
from vecsearch.embed.engines.openvino_runtime import ov
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import IndexDamagedError, VecsearchError
from vecsearch.forks import keep_at_fork
from vecsearch.types import Pixels, Vectors

T = TypeVar("T")

_HINTS: Final = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""What OpenVINO computes in; the layers of an int8 network are quantised in any case."""


def has_bf16() -> bool:
    """Return whether this CPU multiplies bfloat16 natively."""
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


_process: int | None = None
"""The process in which a network was compiled first, which starts OpenVINO's threads."""


def _check_not_inherited() -> None:
    """Raise VecsearchError in a process forked from one in which the threads had been started.

    A fork copies what the threads share and not the threads; whoever then waits for one may wait
    for ever.
    """
    global _process
    _process = _process or os.getpid()
    if _process != os.getpid():
        raise VecsearchError(
            "this process was forked from one that had started the network, whose threads it lacks",
            hint="start processes by spawn or forkserver, or ask about new pictures only in them",
        )


def compile_graph(graph: Any, precision: str) -> Any:
    """Compile a graph for many pictures: several batches in flight; raises VecsearchError."""
    _check_not_inherited()
    return ov.Core().compile_model(graph, "CPU", _config(precision, "THROUGHPUT"))


def compile_for_queries(xml: Path, constants: Path, content: bytes, spec: EncoderSpec) -> Any:
    """Compile a kept network, or take it from the cache, so that all cores work on one picture.

    Raises IndexDamagedError if it is not one of *spec*, VecsearchError in a forked process.
    """
    _check_not_inherited()
    try:
        config = _config(spec.precision, "LATENCY")
        compiled = compile_cached(xml, constants, content, config)
        _check_ports(compiled, spec.image_size, spec.dim)
    except (RuntimeError, ValueError, OSError) as error:
        raise _unreadable(xml, error) from None
    return compiled


def read_graph(xml: Path, constants: Path, spec: EncoderSpec) -> Any:
    """Read a kept network; raises IndexDamagedError if it is not one of *spec*."""
    from vecsearch.embed.engines.read_network import read_network

    try:
        graph = read_network(xml, constants)
        _check_ports(graph, spec.image_size, spec.dim)
    except (RuntimeError, ValueError, OSError) as error:
        raise _unreadable(xml, error) from None
    return graph


class OpenVINOEngine:
    """Runs a compiled graph of `vecsearch.embed.graph` on the CPU."""

    name = "openvino"
    batch_size = 4
    """Measured on two cores, for both networks: as fast as 8 and 16, in less memory."""

    def __init__(self, compiled: Any) -> None:
        """Take what `compile_graph` or `compile_for_queries` made."""
        self._compiled = compiled
        self._idle: deque[Any] = deque()
        """Requests that no thread uses: one request serves one thread at a time."""
        keep_at_fork(self)

    def embed(self, pixels: Pixels) -> Vectors:
        """(n, size, size, 3) uint8 RGB -> (n, d) float32 of unit length, from any thread."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        request.infer([pixels])
        vectors = np.array(request.get_output_tensor().data)
        self._idle.append(request)
        return vectors

    def stream(self, batches: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[T, Vectors]]:
        """Embed tagged batches, as many at once as the device has streams; in order."""
        count = self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        idle = [self._compiled.create_infer_request() for _ in range(count)]
        busy: deque[tuple[T, Any]] = deque()

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


def _config(precision: str, hint: str) -> dict[str, Any]:
    return {"INFERENCE_PRECISION_HINT": _HINTS[precision], "PERFORMANCE_HINT": hint}


def _check_ports(network: Any, image_size: int, dim: int) -> None:
    """Raise ValueError unless *network* makes vectors (n, dim) of (n, size, size, 3) uint8."""
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise ValueError("it has other inputs or outputs than an encoder")
    (given,), (made,) = network.inputs, network.outputs
    wanted = ov.PartialShape([-1, image_size, image_size, 3])
    if given.get_partial_shape() != wanted or given.get_element_type() != ov.Type.u8:
        raise ValueError(f"it takes {given.get_partial_shape()} instead of {wanted}")
    wanted = ov.PartialShape([-1, dim])
    if made.get_partial_shape() != wanted or made.get_element_type() != ov.Type.f32:
        raise ValueError(f"it returns {made.get_partial_shape()} instead of {wanted}")


def _unreadable(xml: Path, error: Exception) -> IndexDamagedError:
    reason = str(error).strip().rpartition("\n")[2]
    return IndexDamagedError(
        f"the encoder {xml} cannot be read ({reason})",
        hint="vecsearch repair mends what can be mended",
        path=xml,
    )
