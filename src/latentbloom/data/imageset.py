"""The pictures of one split at one size, read when needed, with a cache of limited size."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.conditions import ConditionSpec
from latentbloom.data.kept import open_kept
from latentbloom.data.listed.entries import Entries
from latentbloom.data.pixels import Fit, fit_square, with_channels
from latentbloom.data.sources.base import Entry, Source
from latentbloom.errors import SourceError

if TYPE_CHECKING:
    import torch

    from latentbloom.conditions import Cond

    Indices = Sequence[int] | np.ndarray | torch.Tensor

logger = logging.getLogger(__name__)

_NEIGHBOURS = 8
"""How many other pictures are tried before a broken file stops the run."""


class ImageSet:
    """Pictures and conditions by index.

    The first pictures of the set, as many as fit into `cache_bytes`, stay in memory once they have
    been read. The others are read again each time, from what the audit kept on disk, or from their
    files. In shuffled epochs every other rule hits as often, and this one needs no bookkeeping.

    A file that breaks during a run is replaced by a neighbour with the same labels, and one
    warning names it.

    Arguments:
        source: Reads the pictures.
        entries: Which of its pictures, usually those of one split that the audit kept.
        size: Side of the pictures, in pixels.
        channels: 1 or 3.
        fit: How pictures that are not square become so: "crop" or "squeeze".
        cache_bytes: Size limit of the decoded pictures in memory.
    """

    def __init__(
        self,
        source: Source,
        entries: Sequence[Entry],
        *,
        size: int,
        channels: int,
        fit: Fit = "crop",
        cache_bytes: int = 256 << 20,
    ) -> None:
        if channels not in (1, 3):
            raise SourceError(f"channels is {channels}; 1 (grey) and 3 (colour) are allowed.")
        self.source = source
        self.entries = Entries.of(entries)
        self.size = size
        self.channels = channels
        self.fit: Fit = fit
        self._kept = open_kept(source, size=size, fit=fit)
        self.set_aside: dict[str, str] = {}
        """Names of pictures whose files broke after the audit, and why."""
        room = max(0, cache_bytes) // (channels * size * size)
        cached = min(len(self.entries), room)
        # np.empty touches no memory: pages are taken as pictures come in.
        self._cache = np.empty((cached, channels, size, size), np.uint8)
        self._filled = np.zeros(cached, bool)
        self._labels = self.entries.labels.reshape(len(self.entries), len(self.spec.factors))

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def spec(self) -> ConditionSpec:
        """The factors and their values."""
        return self.source.spec

    @property
    def labels(self) -> np.ndarray:
        """int64 (N, number of factors): an index a factor, `null_index` when unknown."""
        return self._labels

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, over names, labels, factors, size, channels, fit and treatment.

        It is the hash of one JSON object, of which only a picture at a time is written.
        """
        head = {
            "factors": self.spec.to_json(),
            "size": self.size,
            "channels": self.channels,
            "fit": self.fit,
        }
        digest = hashlib.sha256(f'{json.dumps(head)[:-1]}, "entries": ['.encode())
        for place, entry in enumerate(self.entries):
            row = json.dumps([entry.name, *entry.labels])
            digest.update((f", {row}" if place else row).encode())
        treatment = self.source.treatment
        tail = f', "treatment": {json.dumps(treatment)}' if treatment else ""
        digest.update(f"]{tail}}}".encode())
        return digest.hexdigest()

    def images(self, indices: Indices) -> torch.Tensor:
        """Pictures by index, in the order given; an index may be repeated.

        Arguments:
            indices: Each in [0, len).

        Returns:
            uint8 (B, channels, size, size).

        Raises:
            SourceError: A picture broke and so did its neighbours.
        """
        import torch

        batch = np.empty((len(indices), self.channels, self.size, self.size), np.uint8)
        for row, index in enumerate(indices):
            batch[row] = self._picture(int(index))
        return torch.from_numpy(batch)

    def cond(self, indices: Indices) -> Cond:
        """Conditions by index: for each factor a LongTensor (B,)."""
        import torch

        rows = torch.from_numpy(self._labels[np.asarray(indices, np.int64)])
        return {name: rows[:, i].contiguous() for i, name in enumerate(self.spec.names)}

    def _picture(self, index: int) -> np.ndarray:
        if index < len(self._filled) and self._filled[index]:
            return self._cache[index]
        entry = self.entries[index]
        try:
            pixels = self._decode(entry)
        except SourceError as error:
            pixels = self._stand_in(index, error)
        if index < len(self._filled):
            self._cache[index] = pixels
            self._filled[index] = True
        return pixels

    def _decode(self, entry: Entry) -> np.ndarray:
        """uint8 (channels, size, size)."""
        square = None if self._kept is None else self._kept.read(entry)
        if square is None:
            pixels = self.source.read(entry, size=self.size)
            square = fit_square(pixels, self.size, fit=self.fit)
        return with_channels(square, self.channels).transpose(2, 0, 1)

    def _stand_in(self, index: int, error: SourceError) -> np.ndarray:
        entry = self.entries[index]
        if entry.name not in self.set_aside:
            self.set_aside[entry.name] = str(error)
            logger.warning("Replaced by another picture: %s", error)
        same = np.flatnonzero((self._labels == self._labels[index]).all(axis=1))
        nearest = same[np.argsort(np.abs(same - index), kind="stable")][1 : 1 + _NEIGHBOURS]
        for other in nearest:
            if other < len(self._filled) and self._filled[other]:
                return self._cache[other]
            try:
                return self._decode(self.entries[other])
            except SourceError:
                continue
        raise SourceError(
            f"{error} {len(nearest)} other pictures with its labels cannot be read either. "
            "Is the disk still there? Run the audit again."
        ) from error
