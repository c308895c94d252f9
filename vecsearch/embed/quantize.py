"""int8: a network quantised and calibrated on the user's own pictures.

Quantisation after training by NNCF: per-channel weights, ranges of the activations from a sample,
biases corrected for what rounding shifts. Pooling and what follows stay in floating point: a cube
in eight bits keeps little of the small values, and would save no time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
from dataclasses import replace
from typing import Any

from vecsearch.embed.encoder import Encoder
from vecsearch.embed.engines.openvino_runtime import without_reporting
from vecsearch.embed.graph import POOLING_OPERATIONS
from vecsearch.errors import UsageError
from vecsearch.types import Pixels


def quantized(encoder: Encoder, pixels: Pixels) -> Encoder:
    """Return *encoder* in int8, calibrated on *pixels* (n, size, size, 3); raises UsageError."""
    # It is imported through torch, which finds the absence of a GPU worth a line.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    try:
        with without_reporting():
            import nncf
    except ImportError:
        raise UsageError(
            "--precision int8 needs NNCF", hint="install it with: pip install 'vecsearch[int8]'"
        ) from None
    nncf.set_log_level(logging.ERROR)
    how = encoder.spec.backbone.facts.calibration
    dataset = nncf.Dataset([pixels[i : i + 1] for i in range(len(pixels))])
    advanced = nncf.AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix.ENABLE if how.seven_bits else None
    )
    with contextlib.redirect_stdout(io.StringIO()):  # its bars; results alone go there
        graph = nncf.quantize(
            encoder.graph.clone(),
            dataset,
            subset_size=len(pixels),
            ignored_scope=nncf.IgnoredScope(names=_unquantized(encoder.graph, how.unquantized)),
            advanced_parameters=advanced,
        )
    made = Encoder(replace(encoder.spec, precision="int8"), graph, "openvino")
    digest = hashlib.sha256(made.serialize()[1]).hexdigest()
    spec = replace(made.spec, quantization_hash=digest)
    return Encoder(spec, graph, "openvino", encoder.words)


def _unquantized(graph: Any, parts: tuple[str, ...]) -> list[str]:
    """Name the nodes of *graph* that pool, all that come after them, and convolutions of *parts*.

    A convolution is known by its weights, which bear their state-dict names.
    """
    behind: set[str] = set()
    convolutions: set[str] = set()
    for node in graph.get_ordered_ops():  # each after those that it takes its input from
        name = node.get_friendly_name()
        inputs = {one.get_node().get_friendly_name() for one in node.input_values()}
        if node.get_type_name() in POOLING_OPERATIONS or inputs & behind:
            behind.add(name)
        if any(one.endswith(".weight") and one.split(".")[0] in parts for one in inputs):
            convolutions.add(name)
    return sorted(behind | convolutions)
