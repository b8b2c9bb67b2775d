"""Where very many pictures are read from: folder, file name, and a part of the file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentbloom.data.listed.scratch import Column
from latentbloom.data.listed.texts import TextColumn, Texts
from latentbloom.storage.mounts import FilePart

_NOWHERE, _WHOLE = -1, -1


@dataclass(frozen=True)
class Places:
    """Paths and parts of files by row.

    Arguments:
        bases: Folders, and files of which pictures are parts.
        base: Of each row, int32 (N,); `_NOWHERE` where the program renders the picture.
        tails: Name of the file in its folder; "" where the picture's name ends in it.
        starts: First byte in the base, int64 (N,); `_WHOLE` for a file of its own.
        sizes: Bytes in the base, int64 (N,).
    """

    bases: tuple[Path, ...]
    base: np.ndarray
    tails: Texts
    starts: np.ndarray
    sizes: np.ndarray

    def at(self, row: int, name: str) -> Path | FilePart | None:
        """The place of a row.

        Arguments:
            row: The row.
            name: The name of its picture.
        """
        base = int(self.base[row])
        if base == _NOWHERE:
            return None
        start = int(self.starts[row])
        if start != _WHOLE:
            return FilePart(self.bases[base], start, int(self.sizes[row]))
        return self.bases[base] / (self.tails[row] or name.rpartition("/")[2])

    def among(self, rows: np.ndarray) -> Places:
        """Those of some rows, without the names of their files."""
        starts, sizes = self.starts[rows], self.sizes[rows]
        return Places(self.bases, self.base[rows], Texts.of(()), starts, sizes)

    def folders(self) -> set[str]:
        """The folders that hold the pictures' files; empty where there are no files."""
        used = np.unique(self.base[self.base >= 0]).tolist()
        parts = set(np.unique(self.base[self.starts >= 0]).tolist())
        return {os.path.dirname(self.bases[k]) if k in parts else str(self.bases[k]) for k in used}


class PlaceColumn:
    """Places that come in one by one."""

    def __init__(self) -> None:
        self._bases: dict[str, int] = {}
        self._base = Column("i")
        self._tails = TextColumn()
        self._starts = Column("q")
        self._sizes = Column("q")

    def append(self, path: Path | FilePart | None, name: str) -> None:
        """Add the place of a picture of this name."""
        base, tail, start, size = _NOWHERE, "", _WHOLE, 0
        if isinstance(path, FilePart):
            base, start, size = self._number(str(path.path)), path.start, path.size
        elif path is not None:
            folder, last = os.path.split(path)
            base = self._number(folder)
            tail = "" if last == name.rpartition("/")[2] else last
        self._base.append(base)
        self._tails.append(tail)
        self._starts.append(start)
        self._sizes.append(size)

    def places(self) -> Places:
        """All of them; the column cannot grow any more."""
        return Places(
            tuple(map(Path, self._bases)),
            self._base.array(),
            self._tails.texts(),
            self._starts.array(),
            self._sizes.array(),
        )

    def _number(self, base: str) -> int:
        return self._bases.setdefault(base, len(self._bases))
