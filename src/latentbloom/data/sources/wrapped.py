"""A source around another one: it changes the labels or splits, and reads the other's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from latentbloom.data.listed.entries import Entries
from latentbloom.data.reading import FileStamp, Picture
from latentbloom.data.sources.base import Entry, ReadAs, SetAside, Source
from latentbloom.storage.mounts import FilePart


@dataclass(frozen=True)
class WrappedSource:
    """Base of sources that only change labels or splits. See `Source` for the attributes.

    Arguments:
        whole: The source that reads the pictures.
    """

    whole: Source

    @property
    def name(self) -> str:
        """What the user called it."""
        return self.whole.name

    @property
    def synthetic(self) -> bool:
        """Whether the program renders the pictures."""
        return self.whole.synthetic

    @property
    def treatment(self) -> str:
        """What is done to the pixels."""
        return self.whole.treatment

    @property
    def layout(self) -> str:
        """What the files were taken for."""
        return self.whole.layout

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """Files and rows that are not used."""
        return self.whole.set_aside

    @property
    def readings(self) -> tuple[ReadAs, ...]:
        """What words of the labels were taken for."""
        return self.whole.readings

    def stamp(self, entry: Entry) -> FileStamp:
        """See `Source.stamp`."""
        return self.whole.stamp(self._known(entry))

    def files(self, entry: Entry) -> tuple[Path | FilePart, ...]:
        """See `Source.files`."""
        return self.whole.files(self._known(entry))

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """See `Source.inspect`."""
        return self.whole.inspect(self._known(entry), size=size)

    def read(self, entry: Entry, *, size: int | None = None) -> np.ndarray:
        """See `Source.read`."""
        return self.whole.read(self._known(entry), size=size)

    @cached_property
    def _whole(self) -> Entries:
        return Entries.of(self.whole.entries)

    def _known(self, entry: Entry) -> Entry:
        # A rendered picture needs all of its own labels, and no others.
        return self._whole.find(entry.name)
