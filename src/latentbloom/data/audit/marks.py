"""What a run remembers of each picture's files, to notice other content under the same name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from latentbloom.data.listed.scratch import Column
from latentbloom.data.listed.texts import TextColumn
from latentbloom.data.sources.base import Entry, Source
from latentbloom.storage.mounts import FilePart, stat
from latentbloom.storage.user_files import open_file

_PIECE = 1 << 17
"""Of a file larger than two of these, only its first and last so many bytes are hashed."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What the files of one picture were like.

    Arguments:
        size: Bytes of all files.
        time: The latest change of content or of the file itself, in nanoseconds.
        digest: Hash of the content; "" where a file could not be read.
    """

    size: int
    time: int
    digest: str

    @classmethod
    def of(cls, files: Sequence[Path | FilePart]) -> Mark:
        """The mark of files as they are now."""
        return cls(*_size_and_time(files), _digest(files))

    @classmethod
    def from_json(cls, data: Any) -> Mark:
        """The inverse of `to_json`; a ValueError or TypeError for anything else."""
        size, time, digest = data
        return cls(int(size), int(time), str(digest))

    def to_json(self) -> list[int | str]:
        """A short list."""
        return [self.size, self.time, self.digest]

    def fits(self, files: Sequence[Path | FilePart]) -> bool:
        """Whether the content is still the same.

        Files of the same size and time are not read. A copy of the same content, on another disk
        for example, has another time: it is read, and fits.
        """
        size, time = _size_and_time(files)
        return size == self.size and (time == self.time or _digest(files) == self.digest)


_DIGEST = 24
"""Characters of a digest."""


class MarkList:
    """Marks by name, in arrays.

    Arguments:
        names: Names of the pictures.
        numbers: Sizes and times, int64 (N, 2).
        digests: Of type "S24" (N,); empty where a file could not be read.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        numbers: np.ndarray | None = None,
        digests: np.ndarray | None = None,
    ) -> None:
        self._names = names
        self._numbers = np.zeros((0, 2), np.int64) if numbers is None else numbers
        self._digests = np.zeros(0, f"S{_DIGEST}") if digests is None else digests

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> Iterator[tuple[str, Mark]]:
        """Each name and its mark, in order."""
        for place, name in enumerate(self._names):
            size, time = self._numbers[place].tolist()
            yield name, Mark(size, time, self._digests[place].decode())


class MarkColumn:
    """Marks that come in one by one."""

    def __init__(self) -> None:
        self._names = TextColumn()
        self._numbers = Column("q")
        self._digests = Column("B")

    def append(self, name: str, mark: Mark) -> None:
        """Add the mark of a picture; a ValueError where its digest is none."""
        digest = mark.digest.encode("ascii")
        if len(digest) > _DIGEST:
            raise ValueError(f"the digest of {name} is too long")
        self._names.append(name)
        self._numbers.append(mark.size)
        self._numbers.append(mark.time)
        self._digests.extend(digest.ljust(_DIGEST, b"\0"))

    def marks(self) -> MarkList:
        """All of them; the column cannot grow any more."""
        digests = self._digests.array().view(f"S{_DIGEST}")
        return MarkList(self._names.texts(), self._numbers.array().reshape(-1, 2), digests)


def marks_of(source: Source, entries: Iterable[Entry]) -> MarkList:
    """The mark of each picture by name; empty for pictures that the program renders."""
    column = MarkColumn()
    for entry in () if source.synthetic else entries:
        column.append(entry.name, Mark.of(source.files(entry)))
    return column.marks()


def _size_and_time(files: Sequence[Path | FilePart]) -> tuple[int, int]:
    try:
        found = [stat(path) for path in files]
    except OSError:
        return 0, 0
    # A file that is moved over another keeps the time of its content, but gets a new ctime.
    times = (max(status.st_mtime_ns, status.st_ctime_ns) for status in found)
    return sum(status.st_size for status in found), max(times, default=0)


def _digest(files: Sequence[Path | FilePart]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    try:
        for path in files:
            with open_file(path) as file:
                _take_in(digest, file)
    except OSError:
        return ""
    return digest.hexdigest()


def _take_in(digest: hashlib.blake2b, file: IO[bytes]) -> None:
    size = file.seek(0, 2)
    file.seek(0)
    if size <= 2 * _PIECE:
        digest.update(file.read(2 * _PIECE))
        return
    digest.update(file.read(_PIECE))
    file.seek(size - _PIECE)
    digest.update(file.read(_PIECE))
