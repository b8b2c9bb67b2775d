"""CelebA's own lists: which picture has which attributes and belongs to which split.

They exist as text (columns between spaces; the attributes' first line is the number of rows) and as
CSV, and people save them again: with semicolons or tabs, a column of row numbers in front, and
0.0 and 1.0 or False and True for -1 and 1. A row that cannot be understood costs its own picture,
nothing else.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latentbloom.data.reading import is_picture_name
from latentbloom.data.sources.base import SetAside
from latentbloom.data.sources.folders.split_folders import split_word
from latentbloom.data.sources.labels.names import NO_YES, factor_name
from latentbloom.data.sources.labels.values import is_missing, two_valued
from latentbloom.data.sources.options import OFFICIAL, Official
from latentbloom.errors import SourceError
from latentbloom.storage.user_files import read_text, reason
from latentbloom.words import listed, spelling_key

_INDICES = {"-1": 0, "0": 0, "1": 1}
_UNKNOWN = len(NO_YES)
"""The index of a value that is not known."""

_PROBES = 100


@dataclass(frozen=True)
class Attributes:
    """What a list of attributes says.

    Arguments:
        rows: By name of the picture, 0 (no), 1 (yes) or 2 (not known) for each attribute that was
            asked for.
        set_aside: Rows that cannot be understood.
        notes: What is odd about the list, in sentences.
    """

    rows: dict[str, tuple[int, ...]]
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _List:
    """A list as it is written.

    Arguments:
        promised: The number of rows that it announces; None where it announces none.
        header: The names of its columns.
        header_line: The line of the header, from 1.
        rows: The cells of each row, by its line.
        name: The place of the picture's name in a row.
        shift: How many more cells a row has than the header.
    """

    promised: int | None
    header: list[str]
    header_line: int
    rows: dict[int, list[str]]
    name: int
    shift: int


def read_attributes(path: Path, wanted: Sequence[str]) -> Attributes:
    """Read list_attr_celeba.txt or .csv, or the list of CelebA-HQ.

    Arguments:
        path: The list.
        wanted: Names of attributes, in lower case.

    Raises:
        SourceError: It is no such list, lacks an attribute, or holds no row that can be used.
    """
    read = _read(path)
    header = read.header[max(0, read.name + 1 - read.shift) :]
    places = {factor_name(cell): place for place, cell in enumerate(read.header)}
    lacking = [name for name in wanted if name not in places]
    if lacking:
        raise SourceError(
            f"{path} has no column {lacking[0]}: line {read.header_line} should name 40 attributes "
            f"and names {len(header)}. It is cut short or another file; download it again."
        )
    columns = [places[name] + read.shift for name in wanted]
    width = len(read.header) + read.shift
    count = width - read.name - 1
    meaning = _meaning(read, columns, width)
    rows: dict[str, tuple[int, ...]] = {}
    aside = []
    for number, cells in read.rows.items():
        name = cells[read.name] if read.name < len(cells) else cells[0]
        where = f"{path.name}, line {number}"
        if len(cells) != width:
            found = max(0, len(cells) - read.name - 1)
            aside.append(SetAside(name, f"{where} has {found} of {count} values"))
            continue
        said = [cells[place] for place in columns]
        odd = next((word for word in said if word not in meaning), None)
        if odd is not None:
            aside.append(SetAside(name, f"{where} says '{odd}'; known are -1 (no) and 1 (yes)"))
            continue
        rows[name] = tuple(meaning[word] for word in said)
    there = len(rows) + len(aside)
    notes = []
    if read.promised is not None and there < read.promised:
        notes.append(
            f"{path} announces {read.promised:,} pictures and has {there:,} rows: it was cut short."
            " Download it again to use the others."
        )
    if not rows:
        first = f" The first, {aside[0].name}: {aside[0].reason}." if aside else ""
        raise SourceError(
            f"{path} has no row that can be used.{first} It is cut short or another file; "
            "download it again."
        )
    return Attributes(rows, tuple(aside), (*notes, *_say_meaning(path, meaning)))


def read_partition(path: Path) -> dict[str, Official]:
    """Read list_eval_partition.txt or .csv: the published split by name of the picture.

    Rows that cannot be understood are left out.

    Raises:
        SourceError: No row can be used.
    """
    words: dict[str, Official] = dict(zip(("0", "1", "2"), OFFICIAL, strict=True))
    words.update(zip(OFFICIAL, OFFICIAL, strict=True))
    words.update(valid="val", validation="val")
    found = {}
    for row in _read(path, headed=False).rows.values():
        key = spelling_key(row[-1])
        split = words.get(split_word(key) or key)
        if len(row) > 1 and split is not None:
            found[next(filter(is_picture_name, row), row[0])] = split
    if not found:
        raise SourceError(
            f"{path} gives no picture a split: rows such as '000001.jpg 0' are expected, with 0 "
            "(train), 1 (val) or 2 (test). Download it again, or delete it: then a share is held "
            "out by a hash of the names."
        )
    return found


def read_mapping(path: Path) -> dict[str, str]:
    """Read CelebA-HQ-to-CelebA-mapping.txt: CelebA's picture by number of CelebA-HQ's."""
    rows = (line.split() for line in _lines(path))
    return {row[0]: row[-1] for row in rows if len(row) == 3 and is_picture_name(row[-1])}


def _read(path: Path, *, headed: bool = True) -> _List:
    lines = _lines(path)
    start, promised = 0, None
    separator = re.fullmatch(r'"?sep=(.)"?', lines[0].strip()) if lines else None
    start += separator is not None
    announced = lines[start].strip(" ,;\t|\"'") if len(lines) > start else ""
    if headed and announced.isdecimal():
        start, promised = start + 1, int(announced)
    first = lines[start] if len(lines) > start else ""
    delimiter = separator[1] if separator is not None else _delimiter(first)
    header = _cells(first, delimiter)
    begin = start + 1 if headed else start
    rows = {
        number: cells
        for number, line in enumerate(lines[begin:], begin + 1)
        if any(cells := _cells(line, delimiter))
    }
    some = [cells for _, cells in zip(range(_PROBES), rows.values(), strict=False)]
    widths = Counter(map(len, some))
    width = widths.most_common(1)[0][0] if widths else len(header) + (delimiter is None)
    whole = [cells for cells in some if len(cells) == width]
    places = (place for cells in whole for place, cell in enumerate(cells) if is_picture_name(cell))
    name = next(places, 0)
    shift = max(0, width - len(header)) if width - len(header) <= 2 else 0
    return _List(promised, header, start + 1, rows, name, shift)


def _delimiter(line: str) -> str | None:
    """What stands most often between the cells; None for spaces."""
    best = max(",;\t|", key=line.count)
    return best if best in line else None


def _meaning(read: _List, columns: Sequence[int], width: int) -> dict[str, int]:
    """The index of each word in these columns that is understood."""
    words = {cells[c] for cells in read.rows.values() if len(cells) == width for c in columns}
    keys = {word: spelling_key(word) for word in words}
    meaning = {word: _INDICES[key] for word, key in keys.items() if key in _INDICES}
    if not meaning:
        known = two_valued(word for word in words if not is_missing(word)) or {}
        meaning = {word: NO_YES.index(value) for word, value in known.items()}
    return meaning | {word: _UNKNOWN for word in words if is_missing(word)}


def _say_meaning(path: Path, meaning: dict[str, int]) -> list[str]:
    """A sentence about words that CelebA's own lists do not have."""
    words = (*NO_YES, "not known")
    said = [
        f"{word or 'an empty cell'} as {words[index]}"
        for word, index in sorted(meaning.items(), key=lambda pair: pair[1])
        if word not in _INDICES
    ]
    return [f"{path.name}: {listed(said)}."] if said else []


def _lines(path: Path) -> list[str]:
    try:
        return read_text(path, "utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not text (byte {error.start}). It is broken; download it again."
        ) from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return [cell.strip("\"'") for cell in line.split()]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
