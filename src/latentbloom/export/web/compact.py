"""ONNX graphs with their weights taken out and stored in 16 or 8 bits.

The page turns the stored weights back into float32 before it opens a graph, so that the graph
itself computes in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

SMALLEST = 1024  # values of a tensor, below which it stays inside its graph

Precision = Literal["float16", "int8"]


@dataclass(frozen=True)
class Compact:
    """A graph and its weights.

    Attributes:
        graph: ONNX file whose large tensors are external, one after another in float32.
        layout: For each of them its size, and for int8 its number of scales and the axis, 0 or -1,
            that they belong to.
        stored: The stored bytes: int8 values then float32 scales of each tensor, or float16.
        restored: What the page makes of them: float32, one tensor after another.
    """

    graph: bytes
    layout: list[dict[str, Any]]
    stored: bytes
    restored: np.ndarray


def compact(model: bytes, precision: Precision, location: str) -> Compact:
    """Take the weights out of a graph and store them in fewer bits.

    Arguments:
        model: An ONNX file.
        precision: "float16", or "int8" with a scale for each row or column, whichever is closer.
        location: Name under which the graph looks for its weights.
    """
    import onnx
    from onnx import numpy_helper

    proto = onnx.load_from_string(model)
    layout: list[dict[str, Any]] = []
    stored: list[bytes] = []
    restored: list[np.ndarray] = []
    offset = 0
    for tensor in proto.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST:
            continue
        if precision == "float16":
            half = values.astype(np.float16)
            layout.append({"size": values.size})
            stored.append(half.tobytes())
            back = half.astype(np.float32)
        else:
            axis, codes, scales = _eight_bits(values)
            layout.append({"size": values.size, "scales": len(scales), "axis": axis})
            stored += [codes.tobytes(), scales.tobytes()]
            back = _with_scales(codes, scales, axis).reshape(values.shape)
        restored.append(back.ravel())
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (
            ("location", location),
            ("offset", str(offset)),
            ("length", str(values.nbytes)),
        ):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        offset += values.nbytes
    flat = np.concatenate(restored) if restored else np.zeros(0, np.float32)
    return Compact(proto.SerializeToString(), layout, b"".join(stored), flat)


def _eight_bits(values: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """The axis of the scales, the codes, and the scales: values are about code * scale."""
    found = []
    for axis in (0, -1):
        rows = values.reshape(len(values), -1) if axis == 0 else values.reshape(-1, len(values.T)).T
        scales = np.maximum(np.abs(rows).max(axis=1), 1e-12).astype(np.float32) / np.float32(127)
        codes = np.rint(rows / scales[:, None]).astype(np.int8)
        error = float(np.square(codes * scales[:, None] - rows).sum())
        codes = codes if axis == 0 else np.ascontiguousarray(codes.T)
        found.append((error, axis, codes.ravel(), scales))
    _, axis, codes, scales = min(found, key=lambda item: item[0])
    return axis, codes, scales


def _with_scales(codes: np.ndarray, scales: np.ndarray, axis: int) -> np.ndarray:
    shape = (len(scales), -1) if axis == 0 else (-1, len(scales))
    table = scales[:, None] if axis == 0 else scales[None]
    return (codes.reshape(shape) * table).astype(np.float32)
