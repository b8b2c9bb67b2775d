"""The index of shards: what is in each, so that opening them reads none of them.

`pack` writes it beside the shards. Where there is none, or where it does not match a shard, the
shard itself is listed, and the list is kept in the cache folder.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from latentbloom.data.listed.scratch import Column
from latentbloom.data.reading import file_stamp
from latentbloom.data.sources.shards.packed_set import PACKED
from latentbloom.data.sources.shards.tar_listing import Listing, Sample, list_shard
from latentbloom.foreign.json_files import parse_json, read_json
from latentbloom.storage.files import cache_folder, spare_cache, write_atomic

INDEX = "index.json"
FORMAT, VERSION = "latentbloom-shards", 1
_SHARDS = b'"shards":{\n'
_LINE = re.compile(rb'("(?:[^"\\]|\\.)*"):')


def write_index(folder: Path, listings: Iterable[tuple[str, Listing]], recipe: str) -> Path:
    """Write the index of a folder of shards.

    Arguments:
        folder: Holds the shards.
        listings: The file name of each, and what is in it.
        recipe: Of the packed set that they are.
    """
    head = _compact({"format": FORMAT, "version": VERSION, "recipe": recipe, "shards": {}})

    def write(beside: Path) -> None:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(f"{head.removesuffix('}}')}\n")
            between = ""
            for name, listing in listings:
                file.write(f"{between}{_compact(name)}:{_compact(listing_to_json(listing))}")
                between = ",\n"
            file.write("\n}}\n")

    return write_atomic(folder / INDEX, write)


def _compact(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))


class StoredIndex:
    """An index of which one shard is read at a time; a million pictures are 100 MB of it.

    Arguments:
        file: Its content.
        recipe: Of the packed set beside it.

    Raises:
        ValueError: It is no such index, or the index of another set.
    """

    def __init__(self, file: IO[bytes], recipe: str) -> None:
        self._whole: dict[str, Listing] = {}
        self._lines: dict[str, tuple[int, int]] = {}
        column = Column("B")
        head = file.readline()
        if not head.endswith(_SHARDS):  # all in one line, as earlier versions wrote it
            data = parse_json((head + file.read()).decode())
            try:
                _check_head(data, recipe)
                self._whole = {str(n): listing_from_json(x) for n, x in data["shards"].items()}
            except (KeyError, TypeError, IndexError, AttributeError) as error:
                raise ValueError(_no_index(error)) from None
        else:
            try:
                _check_head(parse_json(f"{head.decode()}}}}}"), recipe)
            except (KeyError, TypeError) as error:
                raise ValueError(_no_index(error)) from None
            for line in file:
                found = _LINE.match(line)
                if found is not None:
                    start = len(column) + found.end()
                    column.extend(line.rstrip(b",\n"))
                    self._lines[json.loads(found[1])] = start, len(column)
        self._content = column.array()

    def __len__(self) -> int:
        return len(self._whole) or len(self._lines)

    def get(self, name: str) -> Listing | None:
        """What the index says of a shard, by its file's name; None where that is nothing usable."""
        if name not in self._lines:
            return self._whole.get(name)
        start, stop = self._lines[name]
        try:
            return listing_from_json(parse_json(self._content[start:stop].tobytes().decode()))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return None


def _check_head(data: Any, recipe: str) -> None:
    if data["format"] != FORMAT or data["version"] != VERSION:
        raise ValueError(f"is of format {data['format']!r}, version {data['version']!r}")
    if data["recipe"] != recipe:
        raise ValueError(f"is of another set than {PACKED}")


def _no_index(error: Exception) -> str:
    return f"is no index of shards ({type(error).__name__}: {error})"


def listing_to_json(listing: Listing) -> dict[str, Any]:
    """A listing by columns; the words of each label are stored once."""
    samples = listing.samples
    names = dict.fromkeys(name for sample in samples for name in sample.words)
    columns = {}
    for name in names:
        words = {word: k for k, word in enumerate(dict.fromkeys(_word(s, name) for s in samples))}
        columns[name] = {"words": list(words), "rows": [words[_word(s, name)] for s in samples]}
    return {
        "bytes": listing.size,
        "keys": [s.key for s in samples],
        "starts": [s.start for s in samples],
        "sizes": [s.size for s in samples],
        "columns": columns,
        "names": [s.name for s in samples],
        "positions": [s.position for s in samples],
        "set_aside": listing.set_aside,
        "damage": listing.damage,
    }


def listing_from_json(data: Any) -> Listing:
    """The inverse of `listing_to_json`; raises a ValueError, KeyError or TypeError for others."""
    size = int(data["bytes"])
    columns = {
        str(name): [None if row < 0 else str(one["words"][row]) for row in one["rows"]]
        for name, one in data["columns"].items()
    }
    lists = [data[name] for name in ("keys", "starts", "sizes", "names", "positions")]
    samples = []
    for k, (key, start, length, name, position) in enumerate(zip(*lists, strict=True)):
        if min(int(start), int(length)) < 0 or start + length > size:
            raise ValueError(f"places {key!r} outside its shard")
        words = {n: word for n, rows in columns.items() if (word := rows[k]) is not None}
        samples.append(Sample(str(key), int(start), int(length), words, str(name), int(position)))
    aside = [(str(name), str(why)) for name, why in data["set_aside"]]
    return Listing(size, samples, aside, str(data["damage"]))


def _word(sample: Sample, name: str) -> str:
    return sample.words.get(name, "")


def listing_of(path: Path) -> Listing:
    """List a shard, or read from the cache what was listed before.

    Raises:
        OSError: As `list_shard`.
    """
    kept = _cache_file(path)
    with suppress(OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        data = read_json(kept, folder=kept.parent)
        if tuple(data["stamp"]) == file_stamp(path):
            return listing_from_json(data["listing"])
    stamp = file_stamp(path)
    listing = list_shard(path)
    with spare_cache():
        content = {"stamp": stamp, "listing": listing_to_json(listing)}
        write_atomic(kept, _compact(content))
    return listing


def fits(listing: Listing, path: Path) -> bool:
    """Whether an index is of the shard as it is now: its size, and its first and last picture."""
    try:
        if path.stat().st_size != listing.size:
            return False
        ends: Sequence[Sample] = listing.samples[:1] + listing.samples[-1:]
        with path.open("rb") as file:
            for sample in ends:
                file.seek(max(0, sample.start - 512))
                header = file.read(512)
                name = header[:100].rstrip(b"\0").decode(errors="replace")
                told = header[124:135].strip(b" \0")
                if header[257:262] != b"ustar" or not name.startswith(sample.key[:90]):
                    return False
                if not told.isdigit() or int(told, 8) != sample.size:
                    return False
    except OSError:
        return False
    return True


def _cache_file(path: Path) -> Path:
    key = hashlib.sha256(str(path.resolve()).encode(errors="surrogateescape")).hexdigest()[:24]
    return cache_folder() / "shards" / f"{key}.json"
