"""Which row of a file of decoded pictures is whose, in arrays and in an index file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from latentbloom.data.listed.name_index import NameIndex
from latentbloom.data.listed.scratch import Column
from latentbloom.data.listed.texts import TextColumn
from latentbloom.data.reading import FileStamp
from latentbloom.foreign.bounds import check_name
from latentbloom.foreign.json_lists import read_lists, write_lists
from latentbloom.storage.files import write_atomic

_LIST = "pictures"


class RowColumn:
    """Names and stamps of pictures in the order of their rows. Add all, then read them."""

    def __init__(self) -> None:
        self._names = TextColumn()
        self._stamps = Column("q")

    def __len__(self) -> int:
        return len(self._names)

    def append(self, name: str, stamp: FileStamp) -> None:
        """Add the picture of the next row."""
        self._names.append(name)
        for number in stamp:
            self._stamps.append(number)

    def save(self, path: Path, file: str) -> None:
        """Write an index of the rows of a file."""
        stamps = self._stamps.array().reshape(-1, 2)
        names = self._names.texts()
        rows = ([name, *stamps[row].tolist()] for row, name in enumerate(names))
        write_atomic(path, partial(write_lists, head={"file": file}, lists={_LIST: rows}))


class KeptRows:
    """Rows of a file by name.

    Arguments:
        path: The index that `RowColumn.save` wrote.

    Raises:
        ValueError: It is none; or a KeyError, TypeError or OverflowError.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        names, stamps = TextColumn(), Column("q")
        pieces = read_lists(path, [_LIST])
        self.file: str = next(pieces)[1]["file"]
        check_name(self.file)
        for _, (name, size, time) in pieces:
            names.append(name)
            stamps.append(size)
            stamps.append(time)
        self._stamps = stamps.array().reshape(-1, 2)
        texts = names.texts()
        self._index = NameIndex(texts, texts.__getitem__)

    def __len__(self) -> int:
        return len(self._stamps)

    def find(self, name: str) -> tuple[int, FileStamp]:
        """The row of a picture, -1 where it is not kept, and the stamp of its file."""
        row = self._index.row(name)
        size, time = (0, 0) if row < 0 else self._stamps[row].tolist()
        return row, (size, time)
