"""Decoding each picture once: what the audit notes of it, and what is kept for training."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from latentbloom.data.audit.duplicates import THUMB, digest, thumbnail
from latentbloom.data.audit.findings import DARKEST, Aside
from latentbloom.data.kept import KeepPictures
from latentbloom.data.listed.scratch import Column, stored
from latentbloom.data.pixels import SIZES, Fit, fit_square, is_grey, suggest_size
from latentbloom.data.sources.base import Entry, Source
from latentbloom.errors import SourceError
from latentbloom.sharing import ALONE, Group
from latentbloom.storage.user_files import map_in_threads

Progress = Callable[[int, int], None]

_RENDERED_SIZE = 128
"""Side, in pixels, at which synthetic pictures are rendered."""

_PROBES = 32
"""Pictures whose sizes suggest the size of the run before all are decoded."""

_CHUNK = 32
_BLOCK = 4096


SEEN = np.dtype(
    [
        ("row", np.int64),  # its place among the entries
        ("mode", "S16"),
        ("width", np.int32),
        ("height", np.int32),
        ("grey", np.bool_),
        ("dark", np.bool_),  # all but black
        ("read", np.bool_),  # false for what cannot be read; the rest is then zero
        ("digest", "S16"),
    ]
)
"""What is remembered of a picture, besides its thumbnail."""

_NOTHING = np.zeros(1, SEEN), np.zeros((*THUMB, 3), np.uint8)


@dataclass(frozen=True)
class Examined:
    """What was found in pictures.

    Arguments:
        seen: Those that can be read, of type `SEEN` (N,).
        broken: What cannot be read, and why.
        thumbs: Thumbnails of what was seen, uint8 (N, 16, 18, 3).
    """

    seen: np.ndarray
    broken: tuple[Aside, ...]
    thumbs: np.ndarray


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

    def __call__(self, entry: Entry, row: int) -> tuple[np.ndarray, np.ndarray] | Aside:
        """What was seen in a picture, `SEEN` (1,), and its thumbnail; or why it cannot be read."""
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
        # Most pictures are told by their small version alone.
        dark = int(thumb.max()) <= DARKEST and int(pixels.max()) <= DARKEST
        size = (picture.width, picture.height)
        mark = digest(np.ascontiguousarray(pixels))
        seen = np.array([(row, picture.mode.encode(), *size, grey, dark, True, mark)], SEEN)
        return seen, thumb


def examine_all(
    examine: Examiner,
    entries: Sequence[Entry],
    workers: int | None,
    on_progress: Progress | None,
    group: Group = ALONE,
) -> Examined:
    """Decode in threads: Pillow lets go of the interpreter while it decodes and resizes.

    Of several processes each decodes its part, and all get what all have seen.
    """
    rows = group.rows(len(entries))
    seen, thumbs = Column("B"), Column("B")
    broken: list[tuple[int, Aside]] = []

    def look(some: range) -> list[tuple[int, tuple[np.ndarray, np.ndarray] | Aside]]:
        return [(row, examine(entries[row], row)) for row in some]

    chunks = (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
    done = 0
    for results in map_in_threads(look, chunks, workers or min(4, os.cpu_count() or 1)):
        for row, result in results:
            if isinstance(result, Aside):
                broken.append((row, result))
            one, thumb = _NOTHING if isinstance(result, Aside) else result
            seen.extend(one.tobytes())
            thumbs.extend(thumb.tobytes())
        done += len(results)
        if on_progress is not None:
            on_progress(done, len(rows))
    found = group.gather_rows(seen.array().view(SEEN))
    small = group.gather_rows(thumbs.array().reshape(len(rows), *THUMB, 3))
    named = sorted(group.union(broken), key=lambda one: one[0])
    if named:
        found, small = stored(found[found["read"]]), _chosen(small, found["read"])
    return Examined(found, tuple(aside for _, aside in named), small)


def _chosen(thumbs: np.ndarray, read: np.ndarray) -> np.ndarray:
    """The thumbnails of what was read; few are held at once."""
    column = Column("B")
    for start in range(0, len(thumbs), _BLOCK):
        block = slice(start, start + _BLOCK)
        column.extend(thumbs[block][read[block]].tobytes())
    return column.array().reshape(-1, *THUMB, 3)


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
