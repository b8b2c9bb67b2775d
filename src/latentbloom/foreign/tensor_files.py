"""The header of a safetensors file, checked before a byte of its tensors is read.

A file begins with the header's length (8 bytes, little-endian) and the header: JSON that gives each
tensor its type, shape and place in the bytes that follow. Here it is compared with the file's real
size, so that nothing in it can ask for memory that the file does not fill.
Source: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from latentbloom.foreign.bounds import ForeignError, check_bytes, check_place
from latentbloom.foreign.json_files import parse_json
from latentbloom.storage.user_files import open_file

MOST_BYTES = 64 << 30
MOST_HEADER = 32 << 20
MOST_TENSORS = 100_000
MOST_DIMENSIONS = 8
MOST_NAME = 512

_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}
_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive, as torch.save writes it",
    b"\x80": "a pickle",
    b"\x89HDF": "an HDF5 file",
    b"GGUF": "a GGUF file",
}

Shapes = dict[str, tuple[int, ...]]


def read_header(path: Path, *, folder: Path) -> Shapes:
    """Check a file and give the shape of each of its tensors.

    Arguments:
        path: The file.
        folder: The folder that it must lie in.

    Raises:
        ForeignError: It is no safetensors file, or its header does not fit its bytes.
        OSError: It is missing or cannot be read.
    """
    check_place(path, folder)
    check_bytes(path, MOST_BYTES)
    with open_file(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            raise ForeignError(_not_safetensors(start, length, size))
        if length > MOST_HEADER:
            raise ForeignError(f"has a header of {length:,} bytes; {MOST_HEADER:,} are allowed")
        text = file.read(length)
    try:
        header = parse_json(text.decode("utf-8"))
    except ForeignError as error:
        raise ForeignError(f"is no safetensors file: its header {error}") from None
    except UnicodeDecodeError:
        raise ForeignError(_not_safetensors(start, length, size)) from None
    if not isinstance(header, dict):
        raise ForeignError("is no safetensors file: its header is no JSON object")
    header.pop("__metadata__", None)
    return _shapes(header, size - 8 - length)


def _not_safetensors(start: bytes, length: int, size: int) -> str:
    for mark, what in _OTHER_FORMATS.items():
        if start.startswith(mark):
            return f"is {what}, not a safetensors file; only safetensors files are read"
    return (
        f"is cut short or is no safetensors file: it announces a header of {length:,} bytes and "
        f"has {size:,} bytes in all"
    )


def _shapes(header: dict[str, Any], size: int) -> Shapes:
    if len(header) > MOST_TENSORS:
        raise ForeignError(f"holds {len(header):,} tensors; {MOST_TENSORS:,} are allowed")
    shapes: Shapes = {}
    places: list[tuple[int, int, str]] = []
    for name, about in header.items():
        if len(name) > MOST_NAME:
            raise ForeignError(f"has a tensor's name of {len(name):,} characters")
        shapes[name], (begin, end) = _one(name, about)
        places.append((begin, end, name))
    places.sort()
    for (_, end, name), (begin, _, other) in pairwise(places):
        if begin < end:
            raise ForeignError(f"has tensors that overlap: {name!r} and {other!r}")
        if begin > end:
            raise ForeignError(f"has bytes that belong to no tensor, before {other!r}")
    first, last = (places[0][0], places[-1][1]) if places else (0, 0)
    if first != 0 or last != size:
        raise ForeignError(
            f"does not fit its header: its tensors end at byte {last:,} and it holds {size:,}"
        )
    return shapes


def _one(name: str, about: Any) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Shape and place of one tensor."""
    try:
        kind, shape, (begin, end) = about["dtype"], tuple(about["shape"]), about["data_offsets"]
        whole = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
    except (KeyError, TypeError, ValueError):
        raise ForeignError(f"does not say what its tensor {name!r} is") from None
    if not whole or len(shape) > MOST_DIMENSIONS or kind not in _BYTES:
        raise ForeignError(f"has a tensor {name!r} of an unknown type or shape")
    if end - begin != math.prod(shape) * _BYTES[kind]:
        raise ForeignError(
            f"has a tensor {name!r} whose shape {list(shape)} does not match its "
            f"{end - begin:,} bytes"
        )
    return shape, (begin, end)
