"""What a run remembers of each picture's files, to notice other content under the same name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from latentbloom.data.sources.base import Entry, Source
from latentbloom.user_files import open_file

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
    def of(cls, files: Sequence[Path]) -> Mark:
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

    def fits(self, files: Sequence[Path]) -> bool:
        """Whether the content is still the same.

        Files of the same size and time are not read. A copy of the same content, on another disk
        for example, has another time: it is read, and fits.
        """
        size, time = _size_and_time(files)
        return size == self.size and (time == self.time or _digest(files) == self.digest)


def marks_of(source: Source, entries: Sequence[Entry]) -> dict[str, Mark]:
    """The mark of each picture by name; empty for pictures that the program renders."""
    if source.synthetic:
        return {}
    return {entry.name: Mark.of(source.files(entry)) for entry in entries}


def _size_and_time(files: Sequence[Path]) -> tuple[int, int]:
    try:
        found = [path.stat() for path in files]
    except OSError:
        return 0, 0
    # A file that is moved over another keeps the time of its content, but gets a new ctime.
    times = (max(status.st_mtime_ns, status.st_ctime_ns) for status in found)
    return sum(status.st_size for status in found), max(times, default=0)


def _digest(files: Sequence[Path]) -> str:
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
