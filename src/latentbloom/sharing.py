"""Work that several processes share: each does its part, and all get the whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """Processes that work together. Methods marked as collective must be called by all of them.

    Whether to call a collective must not depend on what a process knows alone, such as its clock or
    its disk: see `same`.

    Attributes:
        index: Of this process, from 0.
        count: How many there are; with one, collectives return at once.
    """

    index: int = 0
    count: int = 1

    @classmethod
    def joined(cls) -> Group:
        """The processes that torch.distributed has connected; this one alone where it has not."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return ALONE
        from torch import distributed

        if not (distributed.is_available() and distributed.is_initialized()):
            return ALONE
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this is the process that prints and writes."""
        return self.index == 0

    def rows(self, count: int) -> range:
        """Which of `count` things are this process's: every so-manieth."""
        return range(self.index, count, self.count)

    def gather(self, mine: Sequence[T]) -> list[T]:
        """Things of all processes, in the order that `rows` took them in. A collective."""
        parts = self._all(list(mine))
        whole: list[T | None] = [None] * sum(map(len, parts))
        for index, part in enumerate(parts):
            whole[index :: self.count] = part
        return whole  # pyrefly: ignore[bad-return]

    def union(self, mine: Sequence[T]) -> list[T]:
        """Things of all processes, those of the first one first. A collective."""
        return [one for part in self._all(list(mine)) for one in part]

    def gather_rows(self, mine: np.ndarray) -> np.ndarray:
        """Rows of the arrays of all processes, in the order that `rows` took them in."""
        if self.count == 1:
            return mine
        parts = self._all(mine)
        whole = np.empty((sum(map(len, parts)), *mine.shape[1:]), mine.dtype)
        for index, part in enumerate(parts):
            whole[index :: self.count] = part
        return whole

    def same(self, value: T) -> T:
        """The first process's value, on all of them. A collective."""
        if self.count == 1:
            return value
        from torch import distributed

        held = [value if self.first else None]
        distributed.broadcast_object_list(held, src=0)
        return held[0]  # pyrefly: ignore[bad-return]

    def sum(self, mine: np.ndarray) -> np.ndarray:
        """Sum of an array over all processes. A collective."""
        return mine if self.count == 1 else np.sum(self._all(mine), axis=0)

    def least(self, mine: int) -> int:
        """The smallest of all processes' numbers. A collective."""
        return min(self._all(mine))

    def wait(self) -> None:
        """Wait until all processes are here. A collective."""
        self._all(None)

    def _all(self, mine: T) -> list[T]:
        if self.count == 1:
            return [mine]
        from torch import distributed

        found: list[T | None] = [None] * self.count
        distributed.all_gather_object(found, mine)
        return found  # pyrefly: ignore[bad-return]


ALONE = Group()
