"""Colour as a condition of any source: found in its pictures, once, and kept.

`choose_factors` calls `with_colour` when "colour" is asked for and the source's labels do not
tell it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.colour import COLOURS, RECIPE, SIDE, colour_of
from latentbloom.data.pixels import fit_square, is_grey
from latentbloom.data.sources.base import Entry, Source
from latentbloom.data.sources.options import COLOUR
from latentbloom.data.sources.wrapped import WrappedSource
from latentbloom.errors import SourceError
from latentbloom.files import cache_folder, write_atomic

FEWEST = 40
FEWEST_SHARE = 0.05
"""A colour of fewer training pictures than both is no value: most of its few would be mistakes."""

_ALL_GREY = 0.98
_CHUNK = 64


@runtime_checkable
class KnowsSubject(Protocol):
    """A source that can tell where in a picture the subject is."""

    @property
    def outlined(self) -> int:
        """Of how many pictures."""
        ...

    def subject(self, entry: Entry, *, size: int | None = None) -> np.ndarray | None:
        """Bool (H, W) for the picture that `read` gives at that size; None when not known."""
        ...


@dataclass(frozen=True, slots=True)
class Find:
    """What was found in a picture.

    Arguments:
        colour: One of `COLOURS`.
        grey: Whether the picture holds no colour at all.
        stamp: Size in bytes and time of change in nanoseconds of its file; (0, 0) for none.
    """

    colour: str
    grey: bool
    stamp: tuple[int, int]


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
    def entries(self) -> tuple[Entry, ...]:
        """All pictures; a rare colour, or none, is "any"."""
        index = {value: self.factor.index(value) for value in self.factor.values}
        labels = {
            name: index.get(found.colour, self.factor.null_index)
            for name, found in self.finds.items()
        }
        return tuple(
            replace(entry, labels=(*entry.labels, labels.get(entry.name, self.factor.null_index)))
            for entry in self.whole.entries
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the whole, and what was found."""
        shown = ", ".join(f"{c} {n:,}" for c, n in self.counts.items() if c in self.factor.values)
        notes = [
            *self.whole.notes,
            f"colour was found by the program in the pictures, not told: {shown} to train on. "
            "color_label_sample.png in a run's figures shows how well.",
        ]
        rare = {c: n for c, n in self.counts.items() if c not in self.factor.values}
        if rare:
            few = ", ".join(f"{colour} {count:,}" for colour, count in rare.items())
            notes.append(
                f"Too few pictures to be asked for: {few}. They are trained on with their colour "
                "left open."
            )
        return tuple(notes)


def with_colour(source: Source, *, run: Path | None = None) -> ColourSource:
    """Find the colour of each picture of a source.

    What was found before is taken from the user's cache as long as the file is the same. A run
    keeps a copy of its own, which goes before that, so that it is trained on, gone on with and
    scored with the same labels even when a later version of the program would name a picture
    differently.

    Arguments:
        source: Any source without a factor "colour".
        run: File of colours that `save_colours` left in a run folder.

    Raises:
        SourceError: The pictures are grey, or have one colour only.
    """
    stamps = {entry.name: _stamp(entry) for entry in source.entries}

    def unchanged(file: Path | None) -> dict[str, Find]:
        finds = {} if file is None else _load(file)
        return {n: find for n, find in finds.items() if stamps.get(n) == find.stamp}

    cache = None if source.drawn else _cache_file(source)
    finds, of_run = unchanged(cache), unchanged(run)
    known = finds.keys() | of_run.keys()
    missing = [entry for entry in source.entries if entry.name not in known]
    for entry, colour, grey in _look(source, missing):
        finds[entry.name] = Find(colour, grey, stamps[entry.name])
    if cache is not None and missing:
        with suppress(OSError):  # a cache that cannot be written costs time, not the run
            _save(cache, finds)
    found = ColourSource(source, finds | of_run)
    _check(found)
    return found


def colours_found(source: Source) -> ColourSource | None:
    """The source in which colours were looked for, when this one tells them; else None."""
    while not isinstance(source, ColourSource):
        inner = getattr(source, "whole", None)
        if inner is None or COLOUR not in source.spec.names:
            return None
        source = inner
    return source


def save_colours(source: Source, path: Path) -> None:
    """Keep the colours found in a run folder; nothing where none were looked for."""
    found = colours_found(source)
    if found is not None:
        _save(path, found.finds)


def _look(source: Source, entries: Sequence[Entry]) -> Iterator[tuple[Entry, str, bool]]:
    """Entry, colour and whether it is grey; what cannot be read is left out.

    Files are decoded in threads. K-means stays in this one: it sets the number of threads of
    libraries, which is not safe from several at once.
    """

    def small(entry: Entry) -> tuple[Entry, np.ndarray, np.ndarray | None] | None:
        try:
            pixels = source.read(entry, size=SIDE)
            where = source.subject(entry, size=SIDE) if isinstance(source, KnowsSubject) else None
        except SourceError:
            return None  # the audit names it
        return entry, fit_square(pixels, SIDE), where

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), "colour") as pool:
        for start in range(0, len(entries), _CHUNK):
            for result in pool.map(small, entries[start : start + _CHUNK]):
                if result is not None:
                    entry, pixels, where = result
                    yield entry, colour_of(pixels, where), is_grey(pixels)


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


def _stamp(entry: Entry) -> tuple[int, int]:
    try:
        status = None if entry.path is None else entry.path.stat()
    except OSError:
        status = None
    return (0, 0) if status is None else (status.st_size, status.st_mtime_ns)


def _cache_file(source: Source) -> Path:
    folders = {os.path.dirname(entry.path) for entry in source.entries if entry.path}
    where = os.path.commonpath([os.path.realpath(f) for f in folders]) if folders else source.name
    outlined = source.outlined if isinstance(source, KnowsSubject) else 0
    parts = json.dumps([where, source.treatment, outlined, RECIPE])
    key = hashlib.sha256(parts.encode()).hexdigest()[:24]
    return cache_folder() / "colours" / f"{key}.json"


def _load(path: Path) -> dict[str, Find]:
    try:
        pictures = json.loads(path.read_text(encoding="utf-8"))["pictures"]
        finds = {n: Find(c, bool(g), (int(a), int(b))) for n, (c, g, a, b) in pictures.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # looked for anew
    return {name: find for name, find in finds.items() if find.colour in COLOURS}


def _save(path: Path, finds: Mapping[str, Find]) -> None:
    """Whole or not at all."""
    pictures = {name: [f.colour, f.grey, *f.stamp] for name, f in sorted(finds.items())}
    write_atomic(path, json.dumps({"recipe": RECIPE, "pictures": pictures}))
