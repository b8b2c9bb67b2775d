"""Very many short texts in one run of bytes."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np

from latentbloom.data.listed.scratch import Column

_CHUNK = 4096


class Texts(Sequence[str]):
    """Texts by place: UTF-8 bytes one after another, and where each ends.

    Arguments:
        content: Bytes of all, uint8.
        ends: Behind the last byte of each, int64 (N,).
    """

    def __init__(self, content: np.ndarray, ends: np.ndarray) -> None:
        self._content = content
        self._ends = ends

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """The same texts, packed."""
        column = TextColumn()
        for text in texts:
            column.append(text)
        return column.texts()

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        place = operator.index(index)
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError(index)
        start = int(self._ends[place - 1]) if place else 0
        content = self._content[start : int(self._ends[place])].tobytes()
        return content.decode(errors="surrogatepass")

    def __iter__(self) -> Iterator[str]:
        start = 0
        for first in range(0, len(self), _CHUNK):
            ends = self._ends[first : first + _CHUNK].tolist()
            content = self._content[start : ends[-1]].tobytes()
            at = 0
            for end in ends:
                yield content[at : end - start].decode(errors="surrogatepass")
                at = end - start
            start = ends[-1]

    def among(self, rows: np.ndarray) -> Iterator[str]:
        """Those at some places, in the order of `rows`."""
        for first in range(0, len(rows), _CHUNK):
            places = rows[first : first + _CHUNK]
            ends = self._ends[places]
            starts = np.where(places > 0, self._ends[np.maximum(places - 1, 0)], 0)
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
                yield self._content[start:end].tobytes().decode(errors="surrogatepass")


class TextColumn:
    """Texts that come in one by one."""

    def __init__(self) -> None:
        self._content = Column("B")
        self._ends = Column("q")
        self._size = 0

    def __len__(self) -> int:
        return len(self._ends)

    def append(self, text: str) -> None:
        """Add a text."""
        content = text.encode(errors="surrogatepass")
        self._size += len(content)
        self._content.extend(content)
        self._ends.append(self._size)

    def texts(self) -> Texts:
        """All of them; the column cannot grow any more."""
        return Texts(self._content.array(), self._ends.array())
