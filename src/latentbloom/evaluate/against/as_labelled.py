"""Another source's pictures under the labels that a run knows."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.listed.entries import Entries
from latentbloom.data.sources.base import Entry
from latentbloom.data.sources.wrapped import WrappedSource
from latentbloom.words import listed, plural, shortened


@dataclass(frozen=True)
class AsLabelledBy(WrappedSource):
    """All pictures of a source, held out, with the factors of a run. See `Source`.

    A label that the run does not know becomes "any".

    Arguments:
        whole: The other source.
        factors: The factors of the run.
    """

    factors: ConditionSpec

    @property
    def spec(self) -> ConditionSpec:
        """The factors of the run."""
        return self.factors

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the other source say how it is split, which does not matter here."""
        return ()

    @cached_property
    def entries(self) -> Entries:
        """All pictures of the other source."""
        theirs = self.whole.spec
        maps = {name: self._indices(theirs.factor(name)) for name in self._shared}
        places = {name: theirs.names.index(name) for name in self._shared}

        def label(entry: Entry, factor: Factor) -> int:
            if factor.name not in maps:
                return factor.null_index
            return maps[factor.name].get(entry.labels[places[factor.name]], factor.null_index)

        return Entries.of(
            replace(entry, split="val", labels=tuple(label(entry, f) for f in self.factors.factors))
            for entry in self.whole.entries
        )

    @property
    def labelled(self) -> bool:
        """Whether any picture has a label that the run knows."""
        nulls = np.array([factor.null_index for factor in self.factors.factors])
        return bool((self.entries.labels != nulls).any())

    def remarks(self) -> Iterator[str]:
        """Sentences about labels that differ."""
        name, theirs = self.whole.name, self.whole.spec.names
        if not theirs:
            return
        if not self._shared:
            yield (
                f"'{name}' is labelled by {listed(theirs)}, and the run by "
                f"{listed(self.factors.names)}. Its labels are not used; its pictures are."
            )
            return
        missing = [n for n in self.factors.names if n not in theirs]
        if missing:
            yield f"'{name}' does not say {listed(missing)}: that is left open."
        for factor_name in self._shared:
            yield from self._value_remarks(factor_name)

    def _value_remarks(self, factor_name: str) -> Iterator[str]:
        factor, theirs = self.factors.factor(factor_name), self.whole.spec.factor(factor_name)
        place = self.whole.spec.names.index(factor_name)
        known = self._indices(theirs)
        counts = Counter(self._whole.labels[:, place].tolist())
        for index, value in enumerate(theirs.values):
            if index not in known and counts[index]:
                yield (
                    f"The model knows no {factor_name}={value}, which "
                    f"{plural(counts[index], 'picture')} of '{self.whole.name}' "
                    f"{'has' if counts[index] == 1 else 'have'}: there it is left open."
                )
        shown = {known[index] for index in known if counts[index]}
        absent = [value for k, value in enumerate(factor.values) if k not in shown]
        if absent:
            yield f"'{self.whole.name}' has no picture with {factor_name}={shortened(absent)}."

    @cached_property
    def _shared(self) -> list[str]:
        return [name for name in self.factors.names if name in self.whole.spec.names]

    def _indices(self, theirs: Factor) -> Mapping[int, int]:
        """From an index of the other source's factor to that of the run's, by the word."""
        ours = self.factors.factor(theirs.name)
        exact = {value: index for index, value in enumerate(ours.values)}
        folded = {_folded(value): index for value, index in reversed(exact.items())}
        found = {
            index: exact.get(value, folded.get(_folded(value)))
            for index, value in enumerate(theirs.values)
        }
        return {index: ours_index for index, ours_index in found.items() if ours_index is not None}


def _folded(word: str) -> str:
    return unicodedata.normalize("NFC", word).casefold()
