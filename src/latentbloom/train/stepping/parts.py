"""A batch in parts, for devices whose memory does not hold the gradients of all of it at once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from latentbloom.train.stage import Batch

_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any kind of device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error).lower() for w in _WORDS)


def rows_of(batch: Batch) -> int:
    """How many pictures a batch holds; 1 where it holds no tensors."""
    return max((len(value) for value in _tensors(batch)), default=1)


def split_batch(batch: Batch, parts: int) -> list[Batch]:
    """A batch as smaller ones, in order, as equal as they can be.

    Arguments:
        batch: Tensors (B, ...) and mappings of such tensors.
        parts: How many, from 1 to B.

    Returns:
        As many batches; one part is the batch itself.
    """
    if parts == 1:
        return [batch]
    rows = rows_of(batch)
    edges = [rows * k // parts for k in range(parts + 1)]
    return [
        {name: _rows(value, first, last, rows) for name, value in batch.items()}
        for first, last in pairwise(edges)
    ]


def _rows(value: Any, first: int, last: int, rows: int) -> Any:
    if isinstance(value, Tensor) and value.ndim and len(value) == rows:
        return value[first:last]
    if isinstance(value, Mapping):
        return {name: _rows(inner, first, last, rows) for name, inner in value.items()}
    return value


def _tensors(batch: Mapping[str, Any]) -> list[Tensor]:
    found = []
    for value in batch.values():
        if isinstance(value, Tensor) and value.ndim:
            found.append(value)
        elif isinstance(value, Mapping):
            found += _tensors(value)
    return found
