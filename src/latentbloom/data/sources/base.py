"""What a source of labelled pictures is: `Source`, its entries, and sources made of files.

A source lists its pictures without reading them. Reading happens one picture at a time, so
memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from latentbloom.conditions import ConditionSpec
from latentbloom.data.listed.entries import Entries
from latentbloom.data.listed.entry import Entry
from latentbloom.data.reading import FileStamp, Picture, file_stamp, read_picture
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import FilePart
from latentbloom.storage.user_files import odd_kind
from latentbloom.words import visible

MIN_PICTURES = 16
"""Fewer pictures are refused."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file, row or folder (its name ends in "/") that is not used, and why."""

    name: str
    reason: str

    def __post_init__(self) -> None:
        """As in `Entry`."""
        object.__setattr__(self, "name", visible(self.name))
        object.__setattr__(self, "reason", visible(self.reason))


@dataclass(frozen=True, slots=True)
class ReadAs:
    """What words of the labels were taken for.

    Arguments:
        factor: The factor.
        value: Its value; "any" where the words say that it is not known.
        words: Each word as it is written, and how many pictures have it.
    """

    factor: str
    value: str
    words: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        """As in `Entry`."""
        words = tuple((visible(word), count) for word, count in self.words)
        object.__setattr__(self, "words", words)


class Source(Protocol):
    """Labelled pictures: a list of entries, and a way to read one."""

    @property
    def name(self) -> str:
        """What the user called it."""
        ...

    @property
    def spec(self) -> ConditionSpec:
        """The factors and their values."""
        ...

    @property
    def entries(self) -> Sequence[Entry]:
        """The pictures, in natural order of their names; see `Entries`."""
        ...

    @property
    def synthetic(self) -> bool:
        """Whether the program renders the pictures: any number, any size, exact labels."""
        ...

    @property
    def treatment(self) -> str:
        """What is done to the pixels after decoding, for example "crop 148"; "" for nothing.

        It is part of the fingerprint of a set of pictures.
        """
        ...

    @property
    def layout(self) -> str:
        """What its files were taken for, and why; "" where there was nothing to decide."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about what was decided when the source was opened."""
        ...

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """Files, rows and folders that are not used."""
        ...

    @property
    def readings(self) -> tuple[ReadAs, ...]:
        """What words of the labels were taken for, where that is not the word itself."""
        ...

    def stamp(self, entry: Entry) -> FileStamp:
        """What changes whenever the files change that the picture is read from."""
        ...

    def files(self, entry: Entry) -> tuple[Path | FilePart, ...]:
        """The files that the picture is read from; none where the program renders it."""
        ...

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """The picture and what its file says about it; arguments as in `read`."""
        ...

    def read(self, entry: Entry, *, size: int | None = None) -> np.ndarray:
        """The picture as uint8 (H, W, C), C in {1, 3}, upright.

        Arguments:
            entry: One of `entries`.
            size: The side that the caller needs: synthetic pictures are rendered at it, large
                files may be decoded at a fraction that is not below twice of it. None means the
                original size.

        Raises:
            SourceError: The file cannot be decoded.
        """
        ...


@dataclass(frozen=True)
class FileSource:
    """A source whose pictures are files. See `Source` for the attributes.

    Arguments:
        white: The value that is white in files of more than 8 bits a channel; see `read_picture`.
    """

    name: str
    spec: ConditionSpec
    entries: Sequence[Entry]
    notes: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    readings: tuple[ReadAs, ...] = ()
    white: float | None = None
    layout: str = ""

    def __post_init__(self) -> None:
        """As in `Entry`; the entries are packed."""
        object.__setattr__(self, "entries", Entries.of(self.entries))
        object.__setattr__(self, "notes", tuple(visible(note) for note in self.notes))
        object.__setattr__(self, "layout", visible(self.layout))

    @property
    def synthetic(self) -> bool:
        """Files are not rendered by the program."""
        return False

    @property
    def treatment(self) -> str:
        """Which value is white, where the files do not say it themselves."""
        return "" if self.white is None else f"white {self.white:g}"

    def stamp(self, entry: Entry) -> FileStamp:
        """See `Source.stamp`."""
        return file_stamp(entry.path)

    def files(self, entry: Entry) -> tuple[Path | FilePart, ...]:
        """See `Source.files`."""
        return () if entry.path is None else (entry.path,)

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """Decode a file; see `Source.inspect`."""
        if entry.path is None:
            raise SourceError(f"'{entry.name}' has no file: it is no picture of {self.name}.")
        return read_picture(entry.path, size=size, white=self.white)

    def read(self, entry: Entry, *, size: int | None = None) -> np.ndarray:
        """Decode a file to pixels; see `Source.read`."""
        return self.inspect(entry, size=size).pixels


def refuse_odd(path: Path) -> None:
    """Refuse a named pipe, a socket or a device where a source looks for a file.

    Raises:
        SourceError: One lies there.
    """
    if (kind := odd_kind(path)) and not path.is_dir():
        raise SourceError(f"{path} is {kind}, not a file. Put a file in its place, or remove it.")


def check_enough(count: int, name: str) -> None:
    """Refuse a source with next to nothing in it.

    Raises:
        SourceError: There are fewer than `MIN_PICTURES` pictures.
    """
    if count < MIN_PICTURES:
        raise SourceError(
            f"'{name}' has {count} labelled picture{'' if count == 1 else 's'}; at least "
            f"{MIN_PICTURES} are needed to train at all, and some hundred a label to train well. "
            "Add pictures, or try synthetic-flowers."
        )
