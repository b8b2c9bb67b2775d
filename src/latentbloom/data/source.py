"""Where labelled pictures come from: `open_source` and what it gives.

A source lists its pictures without reading them. Reading happens one picture at a time, so
memory does not grow with their number.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from latentbloom.data.conditions import ConditionSpec
from latentbloom.data.reading import Picture, read_picture
from latentbloom.errors import SourceError

Split = Literal["train", "val"]

MIN_PICTURES = 16
"""Below this number nothing is trained."""

VAL_NAMES = ("val", "valid", "validation", "dev", "test")
"""Words for the pictures that are kept aside, the best first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of a source.

    Arguments:
        name: Unique in its source, POSIX-relative, for example "train/smiling/1.jpg".
        labels: An index a factor, in the order of the spec; `null_index` when unknown.
        split: Whether it is trained on or kept aside.
        path: Its file; None when the program draws it.
    """

    name: str
    labels: tuple[int, ...]
    split: Split
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """Something that was found and is not used, and why."""

    name: str
    reason: str


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
    def entries(self) -> tuple[Entry, ...]:
        """The pictures, in natural order of their names."""
        ...

    @property
    def drawn(self) -> bool:
        """Whether the program draws them: endless, exact labels, any size."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided while opening, in sentences for the user."""
        ...

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """Files and rows that are not used."""
        ...

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """The picture and what its file says about it; arguments as in `read`."""
        ...

    def read(self, entry: Entry, *, size: int | None = None) -> np.ndarray:
        """The picture as uint8 (H, W, C), C in {1, 3}, upright.

        Arguments:
            entry: One of `entries`.
            size: The side that the caller needs: drawn pictures are drawn at it, large files
                may be decoded at a fraction that is not below twice of it. None means the
                original size.

        Raises:
            SourceError: The file cannot be decoded.
        """
        ...


@dataclass(frozen=True)
class FileSource:
    """A source whose pictures are files. See `Source` for the attributes."""

    name: str
    spec: ConditionSpec
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()

    @property
    def drawn(self) -> bool:
        """Files are not drawn by the program."""
        return False

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """Decode a file; see `Source.inspect`."""
        if entry.path is None:
            raise SourceError(f"'{entry.name}' has no file: it is no picture of {self.name}.")
        return read_picture(entry.path, size=size)

    def read(self, entry: Entry, *, size: int | None = None) -> np.ndarray:
        """Decode a file to pixels; see `Source.read`."""
        return self.inspect(entry, size=size).pixels


@dataclass(frozen=True)
class BuiltIn:
    """A source that is opened by its name.

    Arguments:
        summary: A line for lists.
        open: Called with seed, val_share and the number of training pictures wanted (None
            when not said).
    """

    summary: str
    open: Callable[[int, float, int | None], Source]


def _synthetic_flowers(seed: int, val_share: float, num_train: int | None) -> Source:
    from latentbloom.data.synthetic import synthetic_flowers

    return synthetic_flowers(seed=seed, num_train=num_train)


def _synthetic_faces(seed: int, val_share: float, num_train: int | None) -> Source:
    from latentbloom.data.synthetic import synthetic_faces

    return synthetic_faces(seed=seed, num_train=num_train)


BUILT_INS: dict[str, BuiltIn] = {
    "synthetic-flowers": BuiltIn("drawn flowers: species and colour", _synthetic_flowers),
    "synthetic-faces": BuiltIn("drawn faces: smiling and glasses", _synthetic_faces),
}
"""The sources that need no folder, by name."""


def open_source(where: str | Path, *, seed: int = 0, val_share: float = 0.1) -> Source:
    """List the labelled pictures of a folder or of a built-in source.

    A folder's sub-folders are its labels, with or without `train/` and `val/` above them; or
    it holds a `labels.csv`. Without pictures kept aside, a share of each label is, chosen by
    a hash of the names.

    Arguments:
        where: A folder, a labels.csv, or a name from `BUILT_INS`; a drawn source may carry
            its number of training pictures, as in "synthetic-flowers:2000".
        seed: Of the choice of kept-aside pictures, and of drawn pictures.
        val_share: Share of pictures to keep aside where the source does not say, in [0, 0.9].

    Raises:
        SourceError: There is no such source, or it cannot be trained on; the message says why
            and what to do.
    """
    if not 0.0 <= val_share <= 0.9:
        raise SourceError(f"val_share is {val_share}; a share from 0 to 0.9 is allowed.")
    name, colon, number = str(where).partition(":")
    if name in BUILT_INS:
        if colon and not (number.isdecimal() and int(number) >= MIN_PICTURES):
            raise SourceError(
                f"'{where}': after the colon comes how many pictures to train on, "
                f"{MIN_PICTURES} or more, as in {name}:2000."
            )
        return BUILT_INS[name].open(seed, val_share, int(number) if colon else None)
    folder = Path(where).expanduser()
    if folder.name == "labels.csv" and folder.is_file():
        folder = folder.parent
    if not folder.exists():
        raise SourceError(_no_such_source(str(where), folder))
    if not folder.is_dir():
        raise SourceError(
            f"'{where}' is a file, not a folder. Give a folder whose sub-folders are the labels "
            "or that holds a labels.csv; unpack an archive first."
        )
    if (folder / "labels.csv").is_file():
        from latentbloom.data.table import open_table

        source = open_table(folder, name=str(where), seed=seed, val_share=val_share)
    else:
        from latentbloom.data.folder import open_folder

        source = open_folder(folder, name=str(where), seed=seed, val_share=val_share)
    check_enough(len(source.entries), source.name)
    return source


def check_enough(count: int, name: str) -> None:
    """Refuse to go on with next to nothing.

    Raises:
        SourceError: There are fewer than `MIN_PICTURES` pictures.
    """
    if count < MIN_PICTURES:
        raise SourceError(
            f"'{name}' has {count} labelled picture{'' if count == 1 else 's'}; at least "
            f"{MIN_PICTURES} are needed to train at all, and some hundred a label to train well. "
            "Add pictures, or try synthetic-flowers."
        )


def _no_such_source(where: str, folder: Path) -> str:
    built_ins = ", ".join(BUILT_INS)
    near: list[str] = []
    parent = folder.parent
    if parent.is_dir():
        siblings = [child.name for child in parent.iterdir() if child.is_dir()]
        near = [
            str(parent / match) if str(parent) != "." else match
            for match in difflib.get_close_matches(folder.name, siblings, n=3, cutoff=0.6)
        ]
    near += difflib.get_close_matches(where, BUILT_INS, n=2, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"There is no folder '{where}'.{hint} Give a folder whose sub-folders are the labels or "
        f"that holds a labels.csv, or a built-in source: {built_ins}."
    )
