"""One picture of a source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentbloom.storage.mounts import FilePart
from latentbloom.words import visible

Split = Literal["train", "val"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of a source.

    Arguments:
        name: Unique in its source, POSIX-relative, for example "train/smiling/1.jpg".
        labels: An index a factor, in the order of the spec; `null_index` when unknown.
        split: "train" for training, "val" for held out.
        path: Its file, or the part of a file that it is; None when the program renders it.
    """

    name: str
    labels: tuple[int, ...]
    split: Split
    path: Path | FilePart | None = None

    def __post_init__(self) -> None:
        """Spell out what a file cannot hold: a file's name may be any bytes."""
        object.__setattr__(self, "name", visible(self.name))
