"""Finding the colours of pictures, and keeping what was found in a file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from latentbloom.data.colour import COLOURS, RECIPE, SIDE, colour_of
from latentbloom.data.listed.entries import Entries
from latentbloom.data.pixels import fit_square, is_grey
from latentbloom.data.reading import FileStamp
from latentbloom.data.sources.base import Entry, Source
from latentbloom.errors import SourceError
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.files import cache_folder, write_atomic
from latentbloom.storage.user_files import map_in_threads

_CHUNK = 64


@runtime_checkable
class KnowsSubject(Protocol):
    """A source that knows where in a picture the subject is."""

    @property
    def outlined(self) -> int:
        """For how many pictures it knows."""
        ...

    def subject(self, entry: Entry, *, size: int | None = None) -> np.ndarray | None:
        """Bool (H, W) for the picture that `read` gives at that size; None if unknown."""
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
    stamp: FileStamp


def find_colours(source: Source, entries: Sequence[Entry]) -> Iterator[tuple[Entry, str, bool]]:
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

    workers = min(4, os.cpu_count() or 1)
    for start in range(0, len(entries), _CHUNK):
        for result in map_in_threads(small, entries[start : start + _CHUNK], workers):
            if result is not None:
                entry, pixels, where = result
                yield entry, colour_of(pixels, where), is_grey(pixels)


def cache_file(source: Source) -> Path:
    """Where the user's cache keeps the colours of a source."""
    folders = Entries.of(source.entries).folders()
    where = os.path.commonpath([os.path.realpath(f) for f in folders]) if folders else source.name
    outlined = source.outlined if isinstance(source, KnowsSubject) else 0
    parts = json.dumps([where, source.treatment, outlined, RECIPE])
    key = hashlib.sha256(parts.encode()).hexdigest()[:24]
    return cache_folder() / "colours" / f"{key}.json"


def load_finds(path: Path) -> dict[str, Find]:
    """What `save_finds` wrote, by name of the picture; empty if there is no such file."""
    try:
        pictures = read_json(path, folder=path.parent)["pictures"]
        finds = {n: Find(c, bool(g), (int(a), int(b))) for n, (c, g, a, b) in pictures.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # they are found again
    return {name: find for name, find in finds.items() if find.colour in COLOURS}


def save_finds(path: Path, finds: Mapping[str, Find]) -> None:
    """Write what was found, by name of the picture."""
    pictures = {name: [f.colour, f.grey, *f.stamp] for name, f in sorted(finds.items())}
    write_atomic(path, json.dumps({"recipe": RECIPE, "pictures": pictures}))
