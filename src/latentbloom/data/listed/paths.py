"""Relative paths of very many files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import overload

from latentbloom.data.listed.texts import TextColumn, Texts


class Paths(Sequence[PurePosixPath]):
    """Paths in the order in which they were added. Add all, then read them."""

    def __init__(self) -> None:
        self._column = TextColumn()

    def append(self, path: PurePosixPath) -> None:
        """Add a path."""
        self._column.append(path.as_posix())

    @cached_property
    def names(self) -> Texts:
        """The paths as texts."""
        return self._column.texts()

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, index: int) -> PurePosixPath: ...
    @overload
    def __getitem__(self, index: slice) -> list[PurePosixPath]: ...
    def __getitem__(self, index: int | slice) -> PurePosixPath | list[PurePosixPath]:
        if isinstance(index, slice):
            return [PurePosixPath(name) for name in self.names[index]]
        return PurePosixPath(self.names[index])

    def __iter__(self) -> Iterator[PurePosixPath]:
        return map(PurePosixPath, self.names)
