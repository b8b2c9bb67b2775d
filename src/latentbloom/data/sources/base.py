"""Where labelled pictures come from: `open_source` and what it gives.

A source lists its pictures without reading them. Reading happens one picture at a time, so
memory does not grow with their number.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from latentbloom.conditions import ConditionSpec
from latentbloom.data.reading import Picture, read_picture
from latentbloom.data.sources.options import Background, SourceOptions, parse_factors, parse_splits
from latentbloom.errors import SourceError

if TYPE_CHECKING:
    from latentbloom.config import DataSettings

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
    def treatment(self) -> str:
        """What is done to the pixels after decoding, such as "crop 148"; "" for nothing.

        It is part of the fingerprint of a set of pictures.
        """
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

    @property
    def treatment(self) -> str:
        """Pictures are used as they are."""
        return ""

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """Decode a file; see `Source.inspect`."""
        if entry.path is None:
            raise SourceError(f"'{entry.name}' has no file: it is no picture of {self.name}.")
        return read_picture(entry.path, size=size)

    def read(self, entry: Entry, *, size: int | None = None) -> np.ndarray:
        """Decode a file to pixels; see `Source.read`."""
        return self.inspect(entry, size=size).pixels


def open_source(
    where: str | Path,
    *,
    seed: int = 0,
    val_share: float = 0.1,
    root: str | Path = "data",
    factors: str | Sequence[str] = (),
    splits: str | Sequence[str] = (),
    crop: int = 148,
    background: Background = "keep",
    colours: Path | None = None,
) -> Source:
    """List the labelled pictures of a folder or of a built-in source.

    A folder's sub-folders are its labels, with or without `train/` and `val/` above them; or
    it holds a `labels.csv`. Without pictures kept aside, a share of each label is, chosen by
    a hash of the names.

    Arguments:
        where: A folder, a labels.csv, or a name from `built_in.BUILT_INS`; a drawn source may carry
            its number of training pictures, as in "synthetic-flowers:2000".
        seed: Of the choice of kept-aside pictures, and of drawn pictures.
        val_share: Share of pictures to keep aside where the source does not say, in [0, 0.9].
        root: celeba, flowers102: folder that holds them, or gets them.
        factors: Which factors to use, as in "smiling,male"; empty for all of them, for celeba
            "smiling". "colour" is found in the pictures where the labels do not tell it.
        splits: celeba, flowers102: published splits to train on, as in "train,val"; empty for
            "train".
        crop: celeba: side of the centre crop, 108, 148 or 178 pixels.
        background: flowers102: "keep", or "white", "grey" or "black" behind the flowers.
        colours: A run's file of found colours, which are not looked for again.

    Raises:
        SourceError: There is no such source, or it cannot be trained on; the message says why
            and what to do.
    """
    from latentbloom.data.sources.built_in import BUILT_INS, takers
    from latentbloom.data.sources.factors import choose_factors

    options = SourceOptions(
        seed=seed,
        val_share=val_share,
        root=str(root),
        factors=parse_factors(factors),
        splits=parse_splits(splits),
        crop=crop,
        background=background,
    )
    name, colon, number = str(where).partition(":")
    built_in = BUILT_INS.get(name)
    options.check_taken(name, built_in.takes if built_in else (), takers())
    if built_in is None:
        source = _open_path(where, options)
    else:
        if colon and not built_in.drawn:
            raise SourceError(f"'{where}': {name} takes no number of pictures. Write {name}.")
        if colon and not (number.isdecimal() and int(number) >= MIN_PICTURES):
            raise SourceError(
                f"'{where}': after the colon comes how many pictures to train on, "
                f"{MIN_PICTURES} or more, as in {name}:2000."
            )
        source = built_in.open(options.without_colour(), int(number) if colon else None)
    check_enough(len(source.entries), source.name)
    return choose_factors(source, options.factors, colours=colours)


def open_data(data: DataSettings, *, seed: int, colours: Path | None = None) -> Source:
    """Open the source that a run's settings name, without what they hold out of training.

    See `open_source` and `holdout.held_out`.
    """
    from latentbloom.data.sources.holdout import hold_out

    source = open_source(
        data.source,
        seed=seed,
        val_share=data.val_share,
        root=data.root,
        factors=data.factors,
        splits=data.splits,
        crop=data.crop,
        background=data.background,
        colours=colours,
    )
    return hold_out(source, data.hold_out, seed=seed)


def _open_path(where: str | Path, options: SourceOptions) -> Source:
    """The source that a folder is."""
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
    seed, share = options.seed, options.val_share
    if (folder / "labels.csv").is_file():
        from latentbloom.data.sources.labels_csv import open_table

        return open_table(folder, name=str(where), seed=seed, val_share=share)
    from latentbloom.data.sources.folder import open_folder

    return open_folder(folder, name=str(where), seed=seed, val_share=share)


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
    from latentbloom.data.sources.built_in import BUILT_INS

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
