"""CelebA's own lists: which picture has which attributes and belongs to which split.

Both exist as text (columns between spaces; the attributes' first line is the number of rows) and as
CSV. A row that cannot be understood costs its own picture, nothing else.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latentbloom.data.sources.base import SetAside
from latentbloom.data.sources.labels.names import factor_name
from latentbloom.data.sources.options import OFFICIAL, Official
from latentbloom.errors import SourceError
from latentbloom.user_files import read_text, reason

_INDICES = {"-1": 0, "0": 0, "1": 1}


@dataclass(frozen=True)
class Attributes:
    """What a list of attributes says.

    Arguments:
        rows: By name of the picture, 0 (no) or 1 (yes) for each attribute that was asked for.
        set_aside: Rows that cannot be understood.
        notes: What is odd about the list, in sentences.
    """

    rows: dict[str, tuple[int, ...]]
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...]


def read_attributes(path: Path, wanted: Sequence[str]) -> Attributes:
    """Read list_attr_celeba.txt or .csv.

    Arguments:
        path: The list.
        wanted: Names of attributes, in lower case.

    Raises:
        SourceError: It is no such list, lacks an attribute, or holds no row that can be used.
    """
    lines = _lines(path)
    promised = int(lines[0]) if lines and lines[0].strip().isdecimal() else None
    start = 0 if promised is None else 1
    header = _cells(lines[start], path) if len(lines) > start else []
    if path.suffix == ".csv":
        header = header[1:]
    columns = {factor_name(cell): place for place, cell in enumerate(header)}
    lacking = [name for name in wanted if name not in columns]
    if lacking:
        raise SourceError(
            f"{path} has no column {lacking[0]}: line {start + 1} should name 40 attributes and "
            f"names {len(header)}. It is cut short or another file; download it again."
        )
    places = [columns[name] for name in wanted]
    rows: dict[str, tuple[int, ...]] = {}
    aside = []
    for number, line in enumerate(lines[start + 1 :], start + 2):
        name, *values = _cells(line, path) or [""]
        if not name:
            continue
        where = f"{path.name}, line {number}"
        if len(values) != len(header):
            aside.append(SetAside(name, f"{where} has {len(values)} of {len(header)} values"))
            continue
        said = [values[place] for place in places]
        odd = next((word for word in said if word not in _INDICES), None)
        if odd is not None:
            aside.append(SetAside(name, f"{where} says '{odd}'; known are -1 (no) and 1 (yes)"))
            continue
        rows[name] = tuple(_INDICES[word] for word in said)
    count = len(rows) + len(aside)
    notes = []
    if promised is not None and count < promised:
        notes.append(
            f"{path} announces {promised:,} pictures and has {count:,} rows: it was cut short. "
            "Download it again to use the others."
        )
    if not rows:
        first = f" The first, {aside[0].name}: {aside[0].reason}." if aside else ""
        raise SourceError(
            f"{path} has no row that can be used.{first} It is cut short or another file; "
            "download it again."
        )
    return Attributes(rows, tuple(aside), tuple(notes))


def read_partition(path: Path) -> dict[str, Official]:
    """Read list_eval_partition.txt or .csv: the published split by name of the picture.

    Rows that cannot be understood are left out.

    Raises:
        SourceError: No row can be used.
    """
    words = dict(zip(("0", "1", "2"), OFFICIAL, strict=True))
    rows = (_cells(line, path) for line in _lines(path))
    found = {row[0]: words[row[1]] for row in rows if len(row) == 2 and row[1] in words}
    if not found:
        raise SourceError(
            f"{path} gives no picture a split: rows such as '000001.jpg 0' are expected, with 0 "
            "(train), 1 (val) or 2 (test). Download it again, or delete it: then a share is held "
            "out by a hash of the names."
        )
    return found


def _lines(path: Path) -> list[str]:
    try:
        return read_text(path, "utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not text (byte {error.start}). It is broken; download it again."
        ) from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error


def _cells(line: str, path: Path) -> list[str]:
    if path.suffix == ".csv":
        return [cell.strip() for cell in next(csv.reader([line]), [])]
    return line.split()
