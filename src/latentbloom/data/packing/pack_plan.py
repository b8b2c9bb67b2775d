"""Which picture goes into which shard, and how: decided before the first shard is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from latentbloom.data.pixels import Fit
from latentbloom.data.sources.base import Entry, FileSource, Source

PER_SHARD = 1000
"""Pictures of a shard: a few megabytes of small pictures."""

_KEY_DIGITS = 9


@dataclass(frozen=True)
class PackPlan:
    """How a source is packed.

    Arguments:
        source: Its pictures.
        size: Side of the pictures in the shards, in pixels; None copies their files as they are.
        fit: How pictures that are not square become so, where a size is given.
        per_shard: Pictures of a shard.
    """

    source: Source
    size: int | None = None
    fit: Fit = "crop"
    per_shard: int = PER_SHARD

    @cached_property
    def copies(self) -> bool:
        """Whether the bytes of the pictures' files are copied untouched.

        A picture of which more is known than its file holds (one that the program renders, crops
        or masks) has no such bytes. It is stored as it is read, losslessly.
        """
        return self.size is None and _plain(self.source)

    @property
    def treatment(self) -> str:
        """What was done to the pixels before they are stored."""
        if self.copies:  # what is done while decoding will be done again
            return ""
        return self.source.treatment

    @cached_property
    def shards(self) -> dict[str, list[int]]:
        """The places of each shard's pictures in the source, by its file's name.

        Each split has shards of its own. Within a split, pictures are in a random order that is
        the same each time: programs that read a shard as a stream get mixed labels.
        """
        shards: dict[str, list[int]] = {}
        for split in ("train", "val"):
            places = [k for k, entry in enumerate(self.source.entries) if entry.split == split]
            mixed = np.random.default_rng(0).permutation(np.array(places, np.int64)).tolist()
            for number, first in enumerate(range(0, len(mixed), self.per_shard)):
                shards[f"{split}-{number:06d}.tar"] = mixed[first : first + self.per_shard]
        return shards

    @cached_property
    def recipe(self) -> str:
        """A hash over all that decides the content of the shards."""
        digest = hashlib.sha256()
        head = [
            self.source.spec.to_json(),
            self.source.treatment,
            self.copies,
            self.size,
            self.fit if self.size else "",
            self.per_shard,
        ]
        digest.update(json.dumps(head).encode())
        for entry in self.source.entries:
            row = [entry.name, entry.split, *entry.labels, *self.source.stamp(entry)]
            digest.update(json.dumps(row).encode())
        return digest.hexdigest()

    def about(self, place: int) -> bytes:
        """The JSON that lies beside a picture in its shard."""
        entry = self.source.entries[place]
        cond = dict(self.words(entry))
        about = {"cond": cond, "split": entry.split, "source_name": entry.name, "position": place}
        return json.dumps(about, ensure_ascii=False).encode()

    def words(self, entry: Entry) -> Iterator[tuple[str, str]]:
        """The words of a picture's labels by factor."""
        for factor, index in zip(self.source.spec.factors, entry.labels, strict=True):
            yield factor.name, factor.word(index)


def key_of(place: int) -> str:
    """The name of a picture in its shard, without ending."""
    return f"{place:0{_KEY_DIGITS}d}"


def _plain(source: Source) -> bool:
    """Whether each picture is one file, decoded and nothing more."""
    inner = getattr(source, "whole", None)
    while inner is not None:
        source, inner = inner, getattr(inner, "whole", None)
    return isinstance(source, FileSource) and type(source).inspect is FileSource.inspect
