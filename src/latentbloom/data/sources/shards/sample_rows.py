"""The pictures of shards as they were found, in arrays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from latentbloom.data.listed.places import Places
from latentbloom.data.listed.scratch import Column
from latentbloom.data.listed.texts import TextColumn, Texts
from latentbloom.data.sources.shards.tar_listing import Sample
from latentbloom.words import visible

Words = tuple[tuple[str, str], ...]


class SampleRows:
    """Shard, name, place and words of the labels of each picture. Add all, then read them."""

    def __init__(self) -> None:
        self.placed = True
        """Whether each has a place in the source that was packed."""
        self._files: dict[Path, int] = {}
        self._words: dict[Words, int] = {}
        self._names = TextColumn()
        self._columns = Column("i"), Column("i"), Column("q"), Column("q"), Column("q")

    def __len__(self) -> int:
        return len(self._names)

    def append(self, path: Path, name: str, sample: Sample) -> None:
        """Add a picture.

        Arguments:
            path: The file of its shard.
            name: Its name.
            sample: The rest.
        """
        file = self._files.setdefault(path, len(self._files))
        words = self._words.setdefault(tuple(sample.words.items()), len(self._words))
        self._names.append(visible(name))
        numbers = file, words, sample.start, sample.size, sample.position
        for column, number in zip(self._columns, numbers, strict=True):
            column.append(number)
        self.placed &= sample.position >= 0

    @cached_property
    def names(self) -> Texts:
        """The names."""
        return self._names.texts()

    @cached_property
    def places(self) -> Places:
        """Where the pictures are."""
        file, _, starts, sizes, _ = self._arrays
        return Places(tuple(self._files), file, Texts.of(()), starts, sizes)

    @property
    def words(self) -> list[Words]:
        """The different sets of words."""
        return list(self._words)

    @property
    def worded(self) -> np.ndarray:
        """For each picture which of `words` it has, int32 (N,)."""
        return self._arrays[1]

    @property
    def positions(self) -> np.ndarray:
        """For each picture its place in the source that was packed, int64 (N,)."""
        return self._arrays[4]

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, ...]:
        return tuple(column.array() for column in self._columns)

    def __iter__(self) -> Iterator[tuple[Path, str, Sample]]:
        """File, name, and place and labels of each, without its key."""
        files, words = list(self._files), [dict(one) for one in self._words]
        for row, name in enumerate(self.names):
            file, worded, start, size, position = (int(array[row]) for array in self._arrays)
            yield files[file], name, Sample("", start, size, words[worded], "", position)
