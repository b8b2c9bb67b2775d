"""The natural order of very many names, without a sort key of each in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import numpy as np

from latentbloom.data.listed.scratch import Column, stored
from latentbloom.data.sources.labels.names import natural_key

_CHUNK = 1 << 15


def natural_order(names: Sequence[str]) -> np.ndarray | None:
    """Rows (N,) of names in the order of their `natural_key`; None where they are in it already.

    Long lists are sorted in parts, which are then merged: a key takes 500 bytes.

    Arguments:
        names: All names.
    """
    if _in_order(names):
        return None
    parts = []
    for first in range(0, len(names), _CHUNK):
        some = range(first, min(first + _CHUNK, len(names)))
        parts.append(stored(np.array(sorted(some, key=lambda k: natural_key(names[k])), np.int64)))
    if len(parts) == 1:
        return parts[0]

    def keyed(part: np.ndarray) -> Iterator[tuple[tuple[object, str], int]]:
        return ((natural_key(names[row]), row) for row in map(int, part))

    merged = Column("q")
    for _, row in heapq.merge(*map(keyed, parts)):
        merged.append(row)
    return merged.array()


def _in_order(names: Sequence[str]) -> bool:
    before = None
    for name in names:
        key = natural_key(name)
        if before is not None and key < before:
            return False
        before = key
    return True
