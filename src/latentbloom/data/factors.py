"""Which factors of a source are used: the one place where they are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from latentbloom.data.conditions import ConditionSpec
from latentbloom.data.options import did_you_mean
from latentbloom.data.reading import Picture
from latentbloom.data.source import Entry, SetAside, Source
from latentbloom.errors import SourceError


def choose_factors(source: Source, names: Sequence[str]) -> Source:
    """A source that tells of these factors only, in this order.

    Arguments:
        source: Any source.
        names: Names of its factors; empty for all of them.

    Raises:
        SourceError: It has no such factor.
    """
    known = source.spec.names
    if not names or tuple(names) == known:
        return source
    for name in names:
        if name not in known:
            raise SourceError(
                f"'{source.name}' has no factor '{name}'.{did_you_mean(name, known)} It has: "
                f"{', '.join(known)}. Name some of them, as in --factors {known[0]}."
            )
    return ChosenFactors(source, tuple(names))


@dataclass(frozen=True)
class ChosenFactors:
    """A source with some of its factors left untold. See `Source` for the attributes.

    Arguments:
        whole: The source with all of them.
        names: Which are told, in order.
    """

    whole: Source
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the user called it."""
        return self.whole.name

    @cached_property
    def spec(self) -> ConditionSpec:
        """The chosen factors."""
        return ConditionSpec(tuple(self.whole.spec.factor(name) for name in self.names))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All pictures, with the labels of the chosen factors."""
        places = [self.whole.spec.names.index(name) for name in self.names]
        return tuple(
            Entry(entry.name, tuple(entry.labels[p] for p in places), entry.split, entry.path)
            for entry in self.whole.entries
        )

    @property
    def drawn(self) -> bool:
        """Whether the program draws the pictures."""
        return self.whole.drawn

    @property
    def treatment(self) -> str:
        """What is done to the pixels."""
        return self.whole.treatment

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the whole, and which factors are left out."""
        left = [name for name in self.whole.spec.names if name not in self.names]
        if not left:
            return self.whole.notes
        return (*self.whole.notes, f"Factors that are there and not used: {', '.join(left)}.")

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """Files and rows that are not used."""
        return self.whole.set_aside

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """See `Source.inspect`."""
        return self.whole.inspect(self._by_name[entry.name], size=size)

    def read(self, entry: Entry, *, size: int | None = None) -> np.ndarray:
        """See `Source.read`."""
        return self.whole.read(self._by_name[entry.name], size=size)

    @cached_property
    def _by_name(self) -> dict[str, Entry]:
        # A drawn picture needs all of its labels, told or not.
        return {entry.name: entry for entry in self.whole.entries}
