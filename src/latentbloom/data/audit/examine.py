"""Decoding each picture once: what the audit notes of it, and what is kept for training."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from latentbloom.data.audit.duplicates import digest, thumbnail
from latentbloom.data.audit.findings import DARKEST, Aside
from latentbloom.data.kept import KeepPictures
from latentbloom.data.pixels import SIZES, Fit, fit_square, is_grey, suggest_size
from latentbloom.data.sources.base import Entry, Source
from latentbloom.errors import SourceError
from latentbloom.user_files import map_in_threads

Progress = Callable[[int, int], None]

_RENDERED_SIZE = 128
"""Side, in pixels, at which synthetic pictures are rendered."""

_PROBES = 32
"""Pictures whose sizes suggest the size of the run before all are decoded."""

_CHUNK = 32


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of a picture: a few hundred bytes."""

    entry: Entry
    mode: str
    width: int
    height: int
    grey: bool
    digest: bytes
    thumb: np.ndarray
    dark: bool
    """Whether it is all but black."""


@dataclass(frozen=True)
class Examiner:
    """Decodes a picture, notes what the audit needs, and keeps the pixels for training.

    Arguments:
        source: Reads the pictures.
        size: Side of the run's pictures, in pixels: large JPEGs are decoded at a fraction whose
            shorter side is at least twice this.
        fit: How pictures become squares.
        keeper: Keeps the squares; None where nothing is kept.
    """

    source: Source
    size: int
    fit: Fit
    keeper: KeepPictures | None

    def __call__(self, entry: Entry) -> Seen | Aside:
        """What was seen in a picture, or why it cannot be read."""
        stamp = self.source.stamp(entry)
        try:
            picture = self.source.inspect(entry, size=self.size)
        except SourceError as error:
            return Aside(name=entry.name, reason=str(error))
        pixels = picture.pixels
        if self.keeper is not None:
            self.keeper.add(entry, fit_square(pixels, self.size, fit=self.fit), stamp)
        grey = is_grey(pixels)
        if grey:
            pixels = pixels[..., :1]
        thumb = thumbnail(pixels)
        return Seen(
            entry=entry,
            mode=picture.mode,
            width=picture.width,
            height=picture.height,
            grey=grey,
            digest=digest(np.ascontiguousarray(pixels)),
            thumb=thumb,
            # Most pictures are told by their small version alone.
            dark=int(thumb.max()) <= DARKEST and int(pixels.max()) <= DARKEST,
        )


def examine_all(
    examine: Examiner,
    entries: Sequence[Entry],
    workers: int | None,
    on_progress: Progress | None,
) -> tuple[list[Seen], list[Aside]]:
    """Decode in threads: Pillow lets go of the interpreter while it decodes and resizes."""
    chunks = [entries[i : i + _CHUNK] for i in range(0, len(entries), _CHUNK)]
    seen: list[Seen] = []
    broken: list[Aside] = []
    done = 0
    count = workers or min(4, os.cpu_count() or 1)
    for results in map_in_threads(lambda chunk: [examine(e) for e in chunk], chunks, count):
        for result in results:
            if isinstance(result, Seen):
                seen.append(result)
            else:
                broken.append(result)
        done += len(results)
        if on_progress is not None:
            on_progress(done, len(entries))
    return seen, broken


def expected_sizes(source: Source, device_type: str, size: int | None) -> tuple[float, int]:
    """Median of the shorter sides of a few pictures, and the likely side of the run's pictures."""
    if source.synthetic:
        return _RENDERED_SIZE, _RENDERED_SIZE
    sides = []
    for entry in source.entries[:: max(1, len(source.entries) // _PROBES)][:_PROBES]:
        with suppress(SourceError):
            picture = source.inspect(entry, size=SIZES[0])
            sides.append(min(picture.width, picture.height))
    side = float(np.median(sides)) if sides else 0.0
    return side, size or suggest_size(side, device_type)
