"""Which factors of a source are used: the one place where they are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from latentbloom.conditions import ConditionSpec
from latentbloom.data.listed.entries import Entries
from latentbloom.data.sources.base import ReadAs, Source
from latentbloom.data.sources.colour_factor import colours_found, with_colour
from latentbloom.data.sources.options import COLOUR
from latentbloom.data.sources.wrapped import WrappedSource
from latentbloom.errors import SourceError
from latentbloom.words import did_you_mean, shortened


def choose_factors(source: Source, names: Sequence[str], *, colours: Path | None = None) -> Source:
    """A source with only these factors, in this order.

    Arguments:
        source: Any source.
        names: Names of its factors; empty for all of them. "colour" is computed from the
            pictures if the labels do not have it.
        colours: As `run` of `with_colour`.

    Raises:
        SourceError: It has no such factor, or colour cannot be found in its pictures.
    """
    if not names:
        return source
    known = source.spec.names
    labelled = COLOUR in known
    for name in names:
        if name not in known and name != COLOUR:
            raise SourceError(
                f"'{source.name}' has no factor '{name}'.{did_you_mean(name, known)} It has: "
                f"{', '.join(known)}. Name some of them, as in --factors {known[0]}."
                f"{'' if labelled else f' {COLOUR} works, too: it is computed from the pictures.'}"
            )
    if COLOUR in names and not labelled:
        source = with_colour(source, run=colours)
    if tuple(names) == source.spec.names and not (COLOUR in names and labelled):
        return source
    return ChosenFactors(source, tuple(names))


@dataclass(frozen=True)
class ChosenFactors(WrappedSource):
    """A source without some of its factors. See `Source` for the attributes.

    Arguments:
        whole: The source with all of them.
        names: The factors that remain, in order.
    """

    names: tuple[str, ...]

    @cached_property
    def spec(self) -> ConditionSpec:
        """The chosen factors."""
        return ConditionSpec(tuple(self.whole.spec.factor(name) for name in self.names))

    @cached_property
    def entries(self) -> Entries:
        """All pictures, with the labels of the chosen factors."""
        places = [self.whole.spec.names.index(name) for name in self.names]
        return self._whole.with_labels(self._whole.labels[:, places])

    @property
    def readings(self) -> tuple[ReadAs, ...]:
        """What words of the labels were taken for, of the chosen factors."""
        return tuple(read for read in self.whole.readings if read.factor in self.names)

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the whole, and which factors are left out."""
        notes = list(self.whole.notes)
        if left := [name for name in self.whole.spec.names if name not in self.names]:
            notes.append(f"Factors that are not used: {shortened(left, 8)}.")
        if COLOUR in self.names and colours_found(self.whole) is None:
            notes.append(f"{COLOUR} is read from the labels, not computed from the pictures.")
        return tuple(notes)
