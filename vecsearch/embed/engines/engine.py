"""What an engine is, and which one a machine gets: OpenVINO or torch."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from vecsearch.errors import UsageError
from vecsearch.types import Pixels, Vectors

ENGINES: Final = ("auto", "openvino", "torch")
PRECISIONS: Final = ("auto", "fp32", "bf16", "int8")

T = TypeVar("T")


class Engine(Protocol):
    """Runs the graph of an encoder on prepared pictures."""

    name: str

    @property
    def batch_size(self) -> int:
        """The number of pictures in a batch that keeps the device busy."""
        ...

    def embed(self, pixels: Pixels) -> Vectors:
        """(n, size, size, 3) uint8 RGB -> (n, d) float32 of unit length."""
        ...

    def stream(self, batches: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[T, Vectors]]:
        """Embed tagged batches as they come; results may overtake one another."""
        ...


def choose_engine(name: str, precision: str | None) -> str:
    """Resolve ``auto``: torch where there is an accelerator, else OpenVINO; int8 is OpenVINO's.

    Whether there is one is guessed from the system first, because importing torch to ask it costs
    seconds, which most machines would spend for a no.
    """
    if name not in ENGINES:
        raise UsageError(f"unknown engine {name!r}", hint=f"known are {', '.join(ENGINES)}")
    if precision == "int8":
        if name == "torch":
            raise UsageError("--precision int8 runs on --engine openvino only")
        return "openvino"
    if name != "auto":
        return name
    if _may_have_accelerator():
        from vecsearch.embed.engines.torch import accelerator

        if accelerator() is not None:
            return "torch"
    return "openvino"


def choose_precision(name: str, engine: str) -> str:
    """Resolve ``auto``: bf16 where the processor computes in it, else fp32."""
    if name not in PRECISIONS:
        raise UsageError(f"unknown precision {name!r}", hint=f"known are {', '.join(PRECISIONS)}")
    if name != "auto":
        return name
    if engine == "torch":
        from vecsearch.embed.engines.torch import has_bf16
    else:
        from vecsearch.embed.engines.openvino import has_bf16
    return "bf16" if has_bf16() else "fp32"


def start_engine(name: str, graph: Any, precision: str) -> Engine:
    """Start the engine *name*, as `choose_engine` returns it, on *graph*, an OpenVINO model."""
    if name == "torch":
        from vecsearch.embed.engines.torch import TorchEngine

        return TorchEngine(graph, precision)
    from vecsearch.embed.engines.openvino import OpenVINOEngine, compile_graph

    return OpenVINOEngine(compile_graph(graph, precision))


def _may_have_accelerator() -> bool:
    return (
        sys.platform == "darwin"
        or Path("/dev/nvidiactl").exists()
        or shutil.which("nvidia-smi") is not None
    )
