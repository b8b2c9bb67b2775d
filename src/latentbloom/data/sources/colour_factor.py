"""Colour as a condition of any source: computed from its pictures once, and stored.

`choose_factors` calls `with_colour` when "colour" is asked for and the labels do not have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.colour import COLOURS
from latentbloom.data.listed.entries import Entries
from latentbloom.data.reading import file_stamp
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.colour_finds import (
    Find,
    cache_file,
    find_colours,
    load_finds,
    save_finds,
)
from latentbloom.data.sources.options import COLOUR
from latentbloom.data.sources.wrapped import WrappedSource
from latentbloom.errors import SourceError
from latentbloom.storage.files import spare_cache

FEWEST = 40
FEWEST_SHARE = 0.05
"""A colour of fewer training pictures than both is left out: most would be mistakes."""

_ALL_GREY = 0.98


@dataclass(frozen=True)
class ColourSource(WrappedSource):
    """A source with the colour of each picture as its last factor. See `Source`.

    Arguments:
        whole: The source without it.
        finds: What was found, by name; pictures that cannot be read are not in it.
    """

    finds: Mapping[str, Find]

    @cached_property
    def counts(self) -> dict[str, int]:
        """Training pictures of each colour, in the order of `COLOURS`."""
        found = Counter(
            self.finds[entry.name].colour
            for entry in self.whole.entries
            if entry.split == "train" and entry.name in self.finds
        )
        return {colour: found[colour] for colour in COLOURS if found[colour]}

    @cached_property
    def factor(self) -> Factor:
        """The colours that enough training pictures have."""
        least = min(FEWEST, FEWEST_SHARE * sum(self.counts.values()))
        return Factor(COLOUR, tuple(c for c, count in self.counts.items() if count >= least))

    @cached_property
    def spec(self) -> ConditionSpec:
        """The factors of the whole, and colour."""
        return ConditionSpec((*self.whole.spec.factors, self.factor))

    @cached_property
    def entries(self) -> Entries:
        """All pictures; a rare colour, or none, is "any"."""
        index = {value: self.factor.index(value) for value in self.factor.values}
        null = self.factor.null_index
        colours = np.array(
            [
                null if found is None else index.get(found.colour, null)
                for found in map(self.finds.get, self._whole.names())
            ]
        )
        return self._whole.with_labels(np.column_stack([self._whole.labels, colours]))

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the whole, and the colours found."""
        shown = ", ".join(f"{c} {n:,}" for c, n in self.counts.items() if c in self.factor.values)
        notes = [
            *self.whole.notes,
            f"colour was computed from the pictures, not read from labels: {shown} to train on. "
            "color_label_sample.png in a run's figures shows how well that worked.",
        ]
        rare = {c: n for c, n in self.counts.items() if c not in self.factor.values}
        if rare:
            few = ", ".join(f"{colour} {count:,}" for colour, count in rare.items())
            notes.append(
                f"Colours of too few pictures to be conditions: {few}. Those pictures are trained "
                "on with the colour 'any'."
            )
        return tuple(notes)


def with_colour(source: Source, *, run: Path | None = None) -> ColourSource:
    """Find the colour of each picture of a source.

    Colours found before are read from the user's cache while the file is the same. A run has a
    copy of its own, which takes precedence: it is trained, resumed and scored with the same labels
    even if a later version of the program would name a picture differently.

    Arguments:
        source: Any source without a factor "colour".
        run: File of colours that `save_colours` left in a run folder.

    Raises:
        SourceError: The pictures are grey, or have one colour only.
    """
    stamps = {entry.name: file_stamp(entry.path) for entry in source.entries}

    def unchanged(file: Path | None) -> dict[str, Find]:
        finds = {} if file is None else load_finds(file)
        return {n: find for n, find in finds.items() if stamps.get(n) == find.stamp}

    cache = None if source.synthetic else cache_file(source)
    finds, of_run = unchanged(cache), unchanged(run)
    known = finds.keys() | of_run.keys()
    missing = [entry for entry in source.entries if entry.name not in known]
    for entry, colour, grey in find_colours(source, missing):
        finds[entry.name] = Find(colour, grey, stamps[entry.name])
    if cache is not None and missing:
        with spare_cache():
            save_finds(cache, finds)
    found = ColourSource(source, finds | of_run)
    _check(found)
    return found


def colours_found(source: Source) -> ColourSource | None:
    """The part of a source that computed colours, if they are among its factors; else None."""
    while not isinstance(source, ColourSource):
        inner = getattr(source, "whole", None)
        if inner is None or COLOUR not in source.spec.names:
            return None
        source = inner
    return source


def save_colours(source: Source, path: Path) -> None:
    """Write the colours into a run folder, if they were computed."""
    found = colours_found(source)
    if found is not None:
        save_finds(path, found.finds)


def _check(source: ColourSource) -> None:
    grey = sum(find.grey for find in source.finds.values())
    if source.finds and grey >= _ALL_GREY * len(source.finds):
        which = "all" if grey == len(source.finds) else f"{grey:,} of {len(source.finds):,}"
        raise SourceError(
            f"'{source.name}': {which} pictures are grey, and colour can only be found in colour "
            f"pictures. Leave {COLOUR} out of --factors."
        )
    if len(source.factor.values) < 2:
        found = ", ".join(f"{c} {n:,}" for c, n in source.counts.items()) or "none"
        raise SourceError(
            f"'{source.name}': the colours found in the training pictures are {found}. At least "
            f"two with {FEWEST} pictures, or one in {1 / FEWEST_SHARE:.0f}, are needed to ask for "
            f"one. Leave {COLOUR} out of --factors, or add pictures."
        )
