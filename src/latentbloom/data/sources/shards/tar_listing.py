"""What is in a shard: names, labels and places of its pictures, without decoding one.

As in WebDataset, neighbours in a tar file that share their name up to its first dot are one sample.
Labels come from its `json` (its "cond", as `pack` and `sample --shard` write it, or all values in
it), from its `cls`, or from its `txt`.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from latentbloom.data.reading import SUFFIXES
from latentbloom.foreign.bounds import ForeignError
from latentbloom.foreign.json_files import parse_json
from latentbloom.storage.user_files import open_file, reason

CUT = "the shard is cut short or damaged after it"
_KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)")
_TEXT = {"cls": "label", "label": "label", "class": "label", "txt": "txt"}
_MOST_TEXT = 1 << 20
_COND, _NAME, _POSITION = "cond", "source_name", "position"


@dataclass(frozen=True)
class Sample:
    """A picture of a shard.

    Arguments:
        key: Its name in the shard, without ending.
        start: Its first byte in the shard.
        size: Its bytes.
        words: Words of its labels, and "split", by name.
        name: Its name in the source that was packed; "" where none was.
        position: Its place in that source; -1 where none was.
    """

    key: str
    start: int
    size: int
    words: dict[str, str] = field(default_factory=dict)
    name: str = ""
    position: int = -1


@dataclass
class Listing:
    """What is in a shard.

    Arguments:
        size: Its bytes.
        samples: Its pictures, in order.
        set_aside: Names of samples that cannot be used, and why.
        damage: Where and how it is damaged; "" where it is whole.
    """

    size: int
    samples: list[Sample] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    damage: str = ""


def list_shard(path: Path) -> Listing:
    """Read the headers and labels of a shard. What comes before a damage is listed.

    Raises:
        OSError: It cannot be read at all, or is no tar file; the text says why.
    """
    with open_file(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        listing = Listing(size)
        try:
            tar = tarfile.TarFile(fileobj=file)
        except tarfile.TarError as error:
            raise OSError(f"it is no tar file ({error})" if size else "it is empty") from None
        members = _members(tar, file, size, listing)
        key, group = "", dict[str, tuple[int, int]]()
        usual: set[str] = set()  # endings of the first sample
        seen: set[str] = set()
        for name, start, length in members:
            found = _KEY.fullmatch(name)
            if found is None:
                continue  # no ending: it belongs to no sample
            if found[1] != key:
                _add(listing, seen, key, group, file)
                usual = usual or set(group)
                key, group = found[1], {}
            group.setdefault(found[2].casefold(), (start, length))
        if listing.damage and usual - set(group):
            listing.set_aside.append((key, "the shard is cut short or damaged in it"))
        else:
            _add(listing, seen, key, group, file)
    return listing


def _members(
    tar: tarfile.TarFile, file: IO[bytes], size: int, listing: Listing
) -> Iterator[tuple[str, int, int]]:
    """Name, first byte and bytes of each regular file; notes where the tar file breaks off."""
    end = 0
    while True:
        try:
            member = tar.next()
        except (tarfile.TarError, OSError, ValueError) as error:
            listing.damage = f"after byte {end:,}: {error}"
            return
        if member is None:
            break
        vars(tar)["members"].clear()  # they would take a kilobyte each
        if member.isreg() and not member.issparse():
            end = member.offset_data + member.size
            if end > size:
                break
            yield member.name, member.offset_data, member.size
    file.seek(-(-end // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE if end <= size else size)
    mark = file.read(tarfile.BLOCKSIZE)
    if len(mark) < tarfile.BLOCKSIZE or mark.strip(b"\0"):
        listing.damage = f"after byte {min(end, size):,}"


def _add(
    listing: Listing,
    seen: set[str],
    key: str,
    group: dict[str, tuple[int, int]],
    file: IO[bytes],
) -> None:
    """Add one sample, or say why it cannot be used."""
    if not group:
        return
    pictures = [place for ending, place in group.items() if _suffix(ending) in SUFFIXES]
    if not pictures:
        listing.set_aside.append((key, f"it has no picture, only {', '.join(group)}"))
        return
    if key in seen:
        listing.set_aside.append((key, "its name occurs twice in the shard"))
        return
    seen.add(key)
    words: dict[str, str] = {}
    name, position = "", -1
    for ending, (start, length) in group.items():
        if ending != "json" and ending not in _TEXT:
            continue
        try:
            content = _content(file, start, length)
            if ending == "json":
                told, name, position = _labels(parse_json(content))
                words |= told
            else:
                words.setdefault(_TEXT[ending], content.strip())
        except (ForeignError, UnicodeDecodeError, OSError) as error:
            why = reason(error) if isinstance(error, OSError) else error
            listing.set_aside.append((key, f"its {ending} {why}"))
            return
    listing.samples.append(Sample(key, *pictures[0], words, name, position))


def _suffix(ending: str) -> str:
    return f".{ending.rpartition('.')[2]}"


def _content(file: IO[bytes], start: int, length: int) -> str:
    if length > _MOST_TEXT:
        raise ForeignError(f"has {length:,} bytes, and at most {_MOST_TEXT:,} are read")
    file.seek(start)
    return file.read(length).decode("utf-8-sig")


def _labels(tree: Any) -> tuple[dict[str, str], str, int]:
    """Words by name, the name in the source, and the place there."""
    if not isinstance(tree, dict):
        return ({} if isinstance(tree, list) else {"label": _word(tree)}), "", -1
    cond = tree.get(_COND)
    flat = cond if isinstance(cond, dict) else tree
    words = {str(k): _word(v) for k, v in flat.items() if isinstance(v, str | int | float | None)}
    if flat is cond and isinstance(tree.get("split"), str):
        words["split"] = tree["split"]
    name, position = tree.get(_NAME), tree.get(_POSITION)
    if flat is cond and isinstance(name, str) and type(position) is int:
        return words, name, position
    return words, "", -1


def _word(value: Any) -> str:
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
