"""WebDataset shards as a source: every picture is read by its place in its shard.

With an index, shards are not a stream: the order is shuffled anew each epoch over all pictures, and
a resumed run sees the same pictures as one that was never stopped.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TypeVar

from latentbloom.config import SourceOptions
from latentbloom.data.sources.base import FileSource, SetAside
from latentbloom.data.sources.shards.labelled_samples import labelled, packed
from latentbloom.data.sources.shards.packed_set import PACKED, PackedSet
from latentbloom.data.sources.shards.patterns import (
    PREFIX,
    common_folder,
    expand,
    is_url,
    name_in,
)
from latentbloom.data.sources.shards.remote_files import local_copy, read_beside
from latentbloom.data.sources.shards.sample_rows import SampleRows
from latentbloom.data.sources.shards.shard_index import INDEX, StoredIndex, fits, listing_of
from latentbloom.data.sources.shards.tar_listing import CUT, Listing
from latentbloom.errors import SourceError
from latentbloom.foreign.json_files import parse_json
from latentbloom.storage.user_files import map_in_threads, open_file, reason
from latentbloom.words import plural, shortened

_WORKERS = 4
_AT_ONCE = 16
"""Shards whose lists are held at once, at most."""

Content = TypeVar("Content")


@dataclass
class ReadShards:
    """The shards of a pattern as they were found.

    Arguments:
        name: What the user called them.
        rows: The usable pictures.
        set_aside: What is lost, and why.
        notes: Sentences for the user.
    """

    name: str
    rows: SampleRows = field(default_factory=SampleRows)
    set_aside: list[SetAside] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def open_shards(options: SourceOptions, wanted: Collection[str], seed: int) -> FileSource:
    """List the pictures of shards.

    Arguments:
        options: `source` is "wds:" and a pattern.
        wanted: Names of factors that were asked for.
        seed: Decides which pictures are held out where the shards do not say it.

    Raises:
        SourceError: No shard can be read, or the labels cannot be understood.
    """
    places = expand(options.source.removeprefix(PREFIX))
    folder = common_folder(places)
    found = ReadShards(options.source)
    about = _beside(folder, PACKED, _about, found)
    index: StoredIndex | None = None
    if about is not None:
        index = _beside(folder, INDEX, partial(StoredIndex, recipe=about.recipe), found)
    if is_url(folder):
        found.notes.append(f"Shards of {folder} are fetched into the cache folder.")

    def read(place: str) -> tuple[Path | None, Listing | None, str, bool]:
        told = None if index is None else index.get(f"{name_in(place, folder)}.tar")
        try:
            path = local_copy(place) if is_url(place) else Path(place)
            if told is not None and fits(told, path):
                return path, told, "", True
            return path, listing_of(path), "", False
        except OSError as error:
            return None, told, reason(error), False

    stale = []
    groups = (places[k : k + _AT_ONCE] for k in range(0, len(places), _AT_ONCE))
    results = (one for some in groups for one in map_in_threads(read, some, _WORKERS))
    for place, (path, listing, why, indexed) in zip(places, results, strict=True):
        shard = name_in(place, folder)
        if path is None or listing is None:
            _lost(found, place, shard, why, listing)
            continue
        told = index.get(f"{shard}.tar") if index is not None and listing.damage else None
        if index and not indexed:
            stale.append(f"{shard}.tar")
        _take(found, path, shard, listing, told)
    if stale:
        found.notes.append(
            f"{INDEX} does not match {shortened(stale)}: what is in "
            f"{'it' if len(stale) == 1 else 'them'} was listed again."
        )
    if not found.rows:
        first = f" The first, {found.set_aside[0].name}: {found.set_aside[0].reason}."
        raise SourceError(
            f"'{options.source}': no picture can be used of {plural(len(places), 'shard')}."
            f"{first if found.set_aside else ''}"
        )
    if about is not None and found.rows.placed:
        if options.bins:
            raise SourceError(f"--bins needs numbers, and '{options.source}' was packed without.")
        return packed(found, about)
    return labelled(found, folder, options, wanted, seed)


def _beside(
    folder: str, name: str, parse: Callable[[IO[bytes]], Content], found: ReadShards
) -> Content | None:
    """A file beside the shards; None where there is none, or where it makes no sense."""
    try:
        if is_url(folder):
            content = read_beside(f"{folder}/{name}")
            return None if content is None else parse(io.BytesIO(content))
        path = Path(folder) / name
        if not path.exists():
            return None
        with open_file(path) as file:
            return parse(file)
    except OSError as error:
        found.notes.append(f"{name} cannot be read ({reason(error)}).")
    except ValueError as error:
        found.notes.append(f"{name} is not used: it {error}.")
    return None


def _about(file: IO[bytes]) -> PackedSet:
    return PackedSet.from_json(parse_json(file.read().decode()))


def _lost(found: ReadShards, place: str, shard: str, why: str, listing: Listing | None) -> None:
    """Name a shard that is lost, and its pictures where the index knows them."""
    found.set_aside.append(SetAside(place, f"the shard cannot be read: {why}"))
    known = (
        [sample.name or f"{shard}/{sample.key}" for sample in listing.samples] if listing else []
    )
    found.set_aside += [SetAside(name, f"its shard {shard}.tar is lost") for name in known]
    count = f" Its {plural(len(known), 'picture')} are lost." if known else ""
    found.notes.append(f"Lost: {place} ({why}).{count} The other shards are used.")


def _take(
    found: ReadShards, path: Path, shard: str, listing: Listing, told: Listing | None
) -> None:
    """Add the pictures of a shard."""
    found.set_aside += [SetAside(f"{shard}/{key}", why) for key, why in listing.set_aside]
    for sample in listing.samples:
        found.rows.append(path, sample.name or f"{shard}/{sample.key}", sample)
    if not listing.damage:
        return
    there = {sample.key for sample in listing.samples}
    gone = [s for s in told.samples if s.key not in there] if told is not None else []
    found.set_aside.append(SetAside(f"{shard}.tar", f"{CUT.replace('after it', listing.damage)}"))
    found.set_aside += [
        SetAside(sample.name or f"{shard}/{sample.key}", f"{shard}.tar is cut short before it")
        for sample in gone
    ]
    verb = "is" if len(gone) == 1 else "are"
    lost = f"{plural(len(gone), 'picture')} of it {verb} lost" if gone else "what follows is lost"
    found.notes.append(
        f"{shard}.tar is cut short or damaged {listing.damage}: {lost}, and the "
        f"{plural(len(listing.samples), 'picture')} before are used."
    )
