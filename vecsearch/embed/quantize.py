"""int8: a quantised network, calibrated on the user's own pictures, and how far it agrees.

Quantisation after training by NNCF: per-channel weights, ranges of the activations from a sample,
biases corrected for what rounding shifts.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
from dataclasses import replace
from typing import Final

from vecsearch.embed.encoder import Encoder
from vecsearch.embed.overlap import nearest_count, shared_nearest
from vecsearch.embed.runtime import without_reporting
from vecsearch.errors import UsageError
from vecsearch.types import Agreement, Pixels, Vectors

CALIBRATION_PICTURES: Final = 16
HELD_OUT_PICTURES: Final = 32
LEAST_OVERLAP: Final = 0.9


def quantized(encoder: Encoder, pixels: Pixels) -> Encoder:
    """Give *encoder* in int8, calibrated on *pixels* (n, size, size, 3); raises UsageError."""
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
    dataset = nncf.Dataset([pixels[i : i + 1] for i in range(len(pixels))])
    with contextlib.redirect_stdout(io.StringIO()):  # its bars; results alone go there
        graph = nncf.quantize(encoder.graph.clone(), dataset, subset_size=len(pixels))
    made = Encoder(replace(encoder.spec, precision="int8"), graph, "openvino")
    digest = hashlib.sha256(made.serialize()[1]).hexdigest()
    spec = replace(made.spec, quantization_hash=digest)
    return Encoder(spec, graph, "openvino", encoder.words)


def measure_agreement(exact: Vectors, approximate: Vectors, held_out: int) -> Agreement:
    """Compare two networks' vectors (n, d) of the same pictures, the last *held_out* as queries."""
    k = nearest_count(len(exact))
    queries = slice(len(exact) - held_out, None)
    a, b = (vectors[queries] @ vectors.T for vectors in (exact, approximate))
    cosines = (exact[queries] * approximate[queries]).sum(axis=1)
    return Agreement(held_out, k, shared_nearest(a, b, k), float(cosines.mean()))
