"""The pictures of a source in arrays: an `Entry` is made when it is asked for."""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import overload

import numpy as np

from latentbloom.data.listed.entry import Entry, Split
from latentbloom.data.listed.name_index import NameIndex
from latentbloom.data.listed.places import PlaceColumn, Places
from latentbloom.data.listed.scratch import Column, stored
from latentbloom.data.listed.texts import TextColumn, Texts

_CHUNK = 4096
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Entries(Sequence[Entry]):
    """Pictures of a source by row. They equal any sequence of the same entries.

    A picture takes no memory that lasts: what is known of it lies in temporary files. Selections
    share the names and the places of the whole.

    Arguments:
        texts: Names of the pictures of the whole.
        places: Their files.
        labels: An index a factor, int64 (N, factors).
        held_out: Which rows belong to the split "val", bool (N,).
        rows: Which pictures of the whole these are, int64 (N,); None for all of them.
    """

    texts: Texts
    places: Places
    labels: np.ndarray
    held_out: np.ndarray
    rows: np.ndarray | None = None

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Entries:
        """The same entries, in arrays."""
        if isinstance(entries, Entries):
            return entries
        column = EntryColumn()
        for entry in entries:
            column.append(entry)
        return column.entries()

    def __len__(self) -> int:
        return len(self.held_out)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Entries: ...
    def __getitem__(self, index: int | slice) -> Entry | Entries:
        if isinstance(index, slice):
            return self.take(np.arange(*index.indices(len(self)), dtype=np.int64))
        place = operator.index(index)
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError(index)
        row = place if self.rows is None else int(self.rows[place])
        name = self.texts[row]
        labels = tuple(self.labels[place].tolist())
        split: Split = "val" if self.held_out[place] else "train"
        return Entry(name, labels, split, self.places.at(row, name))

    def __iter__(self) -> Iterator[Entry]:
        names = self.names()
        for first in range(0, len(self), _CHUNK):
            chunk = slice(first, min(first + _CHUNK, len(self)))
            rows = range(chunk.start, chunk.stop)
            known = rows if self.rows is None else self.rows[chunk].tolist()
            labels, held = self.labels[chunk].tolist(), self.held_out[chunk].tolist()
            for row, indices, out in zip(known, labels, held, strict=True):
                name = next(names)
                where = self.places.at(row, name)
                yield Entry(name, tuple(indices), "val" if out else "train", where)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    def __hash__(self) -> int:
        return hash((len(self), *self[:1], *self[-1:]))

    def __repr__(self) -> str:
        return f"Entries({len(self)}: {', '.join(map(repr, self[:2]))}, ...)"

    def names(self) -> Iterator[str]:
        """The names, in order."""
        return iter(self.texts) if self.rows is None else self.texts.among(self.rows)

    def take(self, places: np.ndarray) -> Entries:
        """Those at some places of these, in the order of `places`."""
        rows = places if self.rows is None else self.rows[places]
        return replace(
            self,
            labels=stored(self.labels[places]),
            held_out=stored(self.held_out[places]),
            rows=stored(rows.astype(np.int64, copy=False)),
        )

    def of_split(self, split: Split, *, without: Iterable[str] = ()) -> Entries:
        """Those of a split, without those of some names."""
        there = self.held_out == (split == "val")
        for row in map(self.row_of, without):
            if row >= 0:
                there[row] = False
        return self if there.all() else self.take(np.flatnonzero(there))

    def without(self, names: Iterable[str]) -> Entries:
        """These without those of some names."""
        rows = [row for row in map(self.row_of, names) if row >= 0]
        return self if not rows else self.take(np.delete(np.arange(len(self)), rows))

    def with_labels(self, labels: np.ndarray) -> Entries:
        """The same pictures with other labels, int (N, factors)."""
        return replace(self, labels=stored(labels.astype(np.int64)))

    def with_splits(self, held_out: np.ndarray) -> Entries:
        """The same pictures in other splits, bool (N,)."""
        return replace(self, held_out=stored(held_out))

    def row_of(self, name: str) -> int:
        """The place of a name in these; -1 where it is not among them."""
        with _lock:
            index = self._index
        return index.row(name)

    def find(self, name: str) -> Entry:
        """The picture of this name.

        Raises:
            KeyError: There is none.
        """
        row = self.row_of(name)
        if row < 0:
            raise KeyError(name)
        return self[row]

    def folders(self) -> set[str]:
        """The folders that hold the pictures' files; empty where there are no files."""
        places = self.places if self.rows is None else self.places.among(self.rows)
        return places.folders()

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(self.names(), self._name_at)

    def _name_at(self, place: int) -> str:
        return self.texts[place if self.rows is None else int(self.rows[place])]


class EntryColumn:
    """Entries that come in one by one."""

    def __init__(self) -> None:
        self._names = TextColumn()
        self._places = PlaceColumn()
        self._labels = Column("q")
        self._held_out = Column("B")
        self._factors = 0

    def append(self, entry: Entry) -> None:
        """Add an entry; all have labels of the same factors."""
        self._names.append(entry.name)
        self._places.append(entry.path, entry.name)
        self._labels.extend(np.array(entry.labels, np.int64))
        self._held_out.append(entry.split == "val")
        self._factors = len(entry.labels)

    def entries(self) -> Entries:
        """All of them; the column cannot grow any more."""
        count = len(self._names)
        labels = self._labels.array().reshape(count, self._factors)
        held_out = self._held_out.array().view(bool)
        return Entries(self._names.texts(), self._places.places(), labels, held_out)
