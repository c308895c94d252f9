"""Reading a network that is kept as OpenVINO IR and is not trusted: checked, then read.

OpenVINO believes what its files say. So only the operations that encoders are made of may
be in it, no constant may lie beyond the file of constants, and no value may be larger than those of
an encoder. Format: https://docs.openvino.ai (Intermediate Representation, version 11).
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

from vecsearch.embed.engines.openvino_runtime import ov

OPERATIONS: Final = frozenset(
    (
        *("Parameter", "Const", "Result", "Convert", "Transpose", "Reshape", "Concat"),
        *("Add", "Subtract", "Multiply", "Divide", "Power", "Maximum", "Minimum"),
        *("Convolution", "GroupConvolution", "MatMul", "MaxPool", "AvgPool", "Pad"),
        *("ReLU", "Clamp", "FakeQuantize", "ReduceMean", "ReduceMax", "NormalizeL2"),
        *("Squeeze", "Unsqueeze"),
    )
)
"""The operations of encoders, in all versions so far."""

_BYTES: Final = {
    **dict.fromkeys(("f32", "i32", "u32"), 4), **dict.fromkeys(("f16", "bf16"), 2),
    **dict.fromkeys(("i64", "u64"), 8), **dict.fromkeys(("i8", "u8", "boolean"), 1),
}  # fmt: skip
_MOST_BYTES: Final = 64 << 20
_MOST_LAYERS: Final = 10_000
_MOST_VALUES: Final = 1 << 26
"""More than any activation of a picture has, by far."""

_DEEPEST: Final = 32
_OPSET: Final = re.compile(r"opset[0-9]{1,2}")
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


def read_network(xml: Path, constants: Path) -> Any:
    """Read a kept network; raises ValueError if it is not an encoder, RuntimeError, OSError."""
    if xml.stat().st_size > _MOST_BYTES:
        raise ValueError("it is too long")
    constants_bytes = constants.stat().st_size
    check_description(xml.read_bytes(), constants_bytes)
    model = ov.Core().read_model(xml, constants)
    _check_values(model, max(_MOST_VALUES, constants_bytes))
    return model


def check_description(xml: bytes, constants_bytes: int) -> None:
    """Raise ValueError if the XML of a network has anything that no encoder has."""
    parser = expat.ParserCreate()
    open_tags: list[str] = []
    layers = 0
    kind = ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal layers, kind
        open_tags.append(tag)
        if len(open_tags) > _DEEPEST:
            raise ValueError("its description is nested too deeply")
        if "rt_info" in open_tags:
            return  # remarks of those who made it
        if len(open_tags) == 1 and tag != "net":
            raise ValueError("it does not begin as a network does")
        if tag in ("body", "back_edges", "port_map"):
            raise ValueError("it has a network in it")
        if tag == "layer":
            layers += 1
            kind = attributes.get("type", "")
            _check_layer(kind, attributes.get("version", ""), layers)
        elif tag == "data" and kind == "Const":
            _check_constant(attributes, constants_bytes)

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type")

    def end(_: str) -> None:
        open_tags.pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise ValueError(f"its description is not XML: {error}") from None


def _check_layer(kind: str, version: str, layers: int) -> None:
    if kind not in OPERATIONS or not _OPSET.fullmatch(version):
        raise ValueError(f"it has an operation that an encoder cannot have, {kind!r:.100}")
    if layers > _MOST_LAYERS:
        raise ValueError("it has too many layers")


def _check_constant(attributes: dict[str, str], constants_bytes: int) -> None:
    shape = [one.strip() for one in attributes.get("shape", "").split(",") if one.strip()]
    numbers = [attributes.get("offset", ""), attributes.get("size", ""), *shape]
    item_bytes = _BYTES.get(attributes.get("element_type", ""))
    if item_bytes is None or not all(map(_NUMBER.fullmatch, numbers)):
        raise ValueError(f"it has a constant of {attributes.get('element_type')!r:.100}")
    offset, size, *sides = map(int, numbers)
    if size != item_bytes * math.prod(sides) or offset + size > constants_bytes:
        raise ValueError(
            f"it has a constant of {size} bytes at {offset}, beyond the end at {constants_bytes}"
        )


def _check_values(model: Any, most: int) -> None:
    for node in model.get_ordered_ops():
        for output in node.outputs():
            shape = output.get_partial_shape()
            if shape.rank.is_dynamic:
                raise ValueError("it has values of unknown shape")
            sides = [side.get_length() for side in shape if side.is_static]
            if len(sides) < len(shape) - 1 or math.prod(sides) > most:
                raise ValueError(f"it has values of the shape {shape}")
