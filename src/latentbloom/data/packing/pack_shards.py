"""Writing a source as shards with an index: in parallel, and again from where it was stopped."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from latentbloom.data.packing.pack_plan import PackPlan, key_of
from latentbloom.data.pixels import fit_square
from latentbloom.data.sources.base import Entry
from latentbloom.data.sources.shards.packed_set import PACKED, PackedSet
from latentbloom.data.sources.shards.shard_index import write_index
from latentbloom.data.sources.shards.tar_listing import Listing, list_shard
from latentbloom.errors import RunFolderError, SourceError
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.files import check_writable, write_atomic, write_tar
from latentbloom.storage.user_files import map_in_threads, read_bytes, reason

Progress = Callable[[int, int], object]


@dataclass
class PackResult:
    """What was packed.

    Arguments:
        pictures: In all shards.
        written: Shards that were written now; the others were there.
        kept: Shards that were there.
        size: Bytes of all shards.
        unread: Pictures that could not be read, and why.
        copied: Whether the files of the pictures were copied untouched.
    """

    pictures: int = 0
    written: int = 0
    kept: int = 0
    size: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    copied: bool = True


def pack_source(
    plan: PackPlan,
    folder: Path,
    *,
    workers: int = 1,
    on_progress: Progress = lambda done, total: None,
) -> PackResult:
    """Write the shards of a plan, `packed.json` and, at the end, the index.

    A shard is written beside its place and renamed, so a shard that is there is whole. Those of
    the same plan are left as they are. A picture that cannot be read is named and left out.

    Arguments:
        plan: What is packed.
        folder: Receives the shards. It is new, or holds part of the same pack.
        workers: Threads that write one shard each.
        on_progress: Called with (shards done, shards in all).

    Raises:
        RunFolderError: The folder holds something else.
        OSError: The shards cannot be written.
    """
    _check_folder(folder, plan)
    check_writable(folder)
    about = PackedSet.of(plan.source, treatment=plan.treatment, recipe=plan.recipe)
    about.save(folder)
    result = PackResult(copied=plan.copies)
    listings: dict[str, Listing] = {}

    def pack(name: str) -> tuple[Listing, bool, dict[str, str]]:
        path = folder / name
        if (there := _whole(path, plan.shards[name])) is not None:
            return there, False, {}
        unread: dict[str, str] = {}
        write_atomic(path, lambda beside: write_tar(beside, _members(plan, name, unread)))
        return list_shard(path), True, unread

    names = list(plan.shards)
    for name, (listing, new, unread) in zip(
        names, map_in_threads(pack, names, workers), strict=True
    ):
        listings[name] = listing
        result.pictures += len(listing.samples)
        result.size += listing.size
        result.written += new
        result.kept += not new
        result.unread |= unread
        on_progress(len(listings), len(names))
    write_index(folder, listings.items(), plan.recipe)
    return result


def _check_folder(folder: Path, plan: PackPlan) -> None:
    """Refuse a folder that holds something else."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is no folder. Give another --out.")
    about = folder / PACKED
    known: PackedSet | None = None
    with suppress(OSError, ValueError):
        known = PackedSet.from_json(read_json(about, folder=folder))
    if known is not None and known.recipe == plan.recipe:
        return
    if about.exists():
        raise RunFolderError(
            f"{folder} holds shards of other pictures or with other settings. Give another --out, "
            "or remove it."
        )
    if any(not one.name.startswith(".") for one in folder.iterdir()):
        raise RunFolderError(f"{folder} is not empty. Give a new folder as --out.")


def _whole(path: Path, places: list[int]) -> Listing | None:
    """What is in a shard that was written before; None where it has to be written."""
    if not path.exists():
        return None
    with suppress(OSError):
        listing = list_shard(path)
        if not listing.damage and {s.position for s in listing.samples} == set(places):
            return listing
    return None


def _members(plan: PackPlan, name: str, unread: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Each picture of a shard and the JSON beside it."""
    for place in plan.shards[name]:
        entry = plan.source.entries[place]
        try:
            ending, content = _picture(plan, entry)
        except SourceError as error:
            unread[entry.name] = str(error)
            continue
        yield f"{key_of(place)}.{ending}", content
        yield f"{key_of(place)}.json", plan.about(place)


def _picture(plan: PackPlan, entry: Entry) -> tuple[str, bytes]:
    """Ending and content of a picture's file.

    Raises:
        SourceError: It cannot be read.
    """
    if plan.copies:
        (path,) = plan.source.files(entry)
        try:
            return Path(entry.name).suffix[1:].lower() or "png", read_bytes(path)
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {reason(error)}.") from error
    from PIL import Image

    pixels = plan.source.read(entry, size=plan.size)
    if plan.size is not None:
        pixels = fit_square(pixels, plan.size, fit=plan.fit)
    picture = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.save(picture, "PNG", compress_level=4)
    return "png", picture.getvalue()
