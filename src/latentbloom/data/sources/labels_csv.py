"""A folder with a `labels.csv`: several factors at once, empty cells mean "unknown"."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from latentbloom.conditions import ANY, ConditionSpec, Factor
from latentbloom.data.sources.base import Entry, FileSource, SetAside, Split
from latentbloom.data.sources.labels import (
    NO_YES,
    VAL_NAMES,
    choose_val,
    factor_name,
    natural_key,
    two_valued,
)
from latentbloom.errors import SourceError
from latentbloom.user_files import read_text, reason

_HELP = (
    "The first line names the columns, as in file,smiling,glasses: `file` is a picture's path "
    "below the folder, `split` (train or val) may be there, every other column is a factor."
)
_LIKE_FILE = ("filename", "file_name", "image", "image_id", "img", "path", "name", "picture")
_MANY_VALUES = 50
"""A column with more values than this, most of which occur once, is no label."""


@dataclass(frozen=True)
class _Row:
    """A row of the table: its line, the picture, and the other cells by column."""

    line: int
    file: str
    cells: dict[str, str]


@dataclass(frozen=True)
class _Column:
    """A column that is a factor, and the index that each of its cells means."""

    name: str
    factor: Factor
    indices: dict[str, int]


def open_table(folder: Path, *, name: str, seed: int = 0, val_share: float = 0.1) -> FileSource:
    """List the pictures that a `labels.csv` names.

    Arguments:
        folder: Holds `labels.csv` and, at any depth below it, the pictures.
        name: What the user called it.
        seed: Decides which pictures are held out.
        val_share: Share to hold out if the `split` column does not say.

    Raises:
        SourceError: The table cannot be understood, contradicts itself, names no picture that
            is there, or has no column with different values.
    """
    table = folder / "labels.csv"
    header, rows = _read(table)
    notes: list[str] = []
    set_aside: list[SetAside] = []
    rows = _present(_once(rows, table, notes), folder, set_aside)
    if not rows:
        first = f" The first one, {set_aside[0].name}: {set_aside[0].reason}." if set_aside else ""
        raise SourceError(f"{table} names no picture that can be used.{first} {_HELP}")
    columns = _factors(rows, [c for c in header if c not in ("file", "split")], table, notes)
    labels = [tuple(c.indices[row.cells[c.name]] for c in columns) for row in rows]
    splits = _splits(rows, labels, table, notes, share=val_share, seed=seed)
    entries = []
    for row, label, split in zip(rows, labels, splits, strict=True):
        if split is None:
            set_aside.append(SetAside(row.file, f"its split is '{row.cells['split']}'"))
        else:
            entries.append(Entry(row.file, label, split, folder / row.file))
    return FileSource(
        name=name,
        spec=ConditionSpec(tuple(column.factor for column in columns)),
        entries=tuple(sorted(entries, key=lambda entry: natural_key(entry.name))),
        notes=tuple(notes),
        set_aside=tuple(set_aside),
    )


def _read(table: Path) -> tuple[list[str], list[_Row]]:
    """The header and the rows, cells stripped; comma, semicolon or tab between them."""
    try:
        text = read_text(table, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{table} is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from error
    except OSError as error:
        raise SourceError(f"{table} cannot be read: {reason(error)}.") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [cell.strip() for cell in next(lines, [])]
    header = [cell.casefold() if cell.casefold() in ("file", "split") else cell for cell in header]
    _check_header(header, table)
    rows = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise SourceError(
                f"{table}, line {lines.line_num}: {len(cells)} cells, but the header has "
                f"{len(header)} ({', '.join(header)}). Write every cell; leave it empty when "
                "the value is unknown."
            )
        by_column = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        file = by_column.pop("file").replace("\\", "/")
        if not file:
            raise SourceError(f"{table}, line {lines.line_num}: the cell under `file` is empty.")
        rows.append(_Row(lines.line_num, PurePosixPath(file).as_posix(), by_column))
    return header, rows


def _check_header(header: list[str], table: Path) -> None:
    found = f"{table} starts with the columns {', '.join(header) or '(nothing)'}"
    if "file" not in header:
        like = [column for column in header if column.casefold() in _LIKE_FILE]
        rename = f" Rename '{like[0]}' to 'file'." if like else ""
        raise SourceError(f"{found}, but `file` is not among them.{rename} {_HELP}")
    names = [factor_name(c) for c in header]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or "" in header:
        what = f"'{twice[0]}' occurs twice" if twice else "one has no name"
        raise SourceError(f"{found}: {what}. Each column needs a name of its own.")
    if len([c for c in header if c not in ("file", "split")]) == 0:
        raise SourceError(f"{found}: there is no factor among them. {_HELP}")


def _once(rows: Sequence[_Row], table: Path, notes: list[str]) -> list[_Row]:
    """Rows without repetitions; two rows that contradict each other are an error."""
    first: dict[str, _Row] = {}
    for row in rows:
        known = first.setdefault(row.file, row)
        if known.cells != row.cells:
            raise SourceError(
                f"{table} lists {row.file} twice with different cells, in lines {known.line} and "
                f"{row.line}. Keep one of them."
            )
    if len(first) < len(rows):
        notes.append(f"{len(rows) - len(first):,} rows of labels.csv repeat another one.")
    return list(first.values())


def _present(rows: Sequence[_Row], folder: Path, set_aside: list[SetAside]) -> list[_Row]:
    """Rows whose picture is there and inside the folder."""
    present = []
    for row in rows:
        parts = PurePosixPath(row.file)
        if parts.is_absolute() or ".." in parts.parts or Path(row.file).is_absolute():
            reason = "labels.csv must name paths below its own folder"
        elif not (folder / row.file).is_file():
            reason = f"labels.csv names it in line {row.line}, but there is no such file"
        else:
            present.append(row)
            continue
        set_aside.append(SetAside(row.file, reason))
    return present


def _factors(
    rows: Sequence[_Row], names: Sequence[str], table: Path, notes: list[str]
) -> list[_Column]:
    """The columns with at least two values."""
    columns = []
    for name in names:
        counts = Counter(row.cells[name] for row in rows)
        unknown = {cell for cell in counts if cell in ("", ANY)}
        values = sorted(counts.keys() - unknown, key=natural_key)
        if len(values) > _MANY_VALUES and 2 * len(values) > sum(counts[v] for v in values):
            raise SourceError(
                f"{table}: column '{name}' has {len(values):,} different values in {len(rows):,} "
                "rows; that is not a label that pictures share. Remove the column, or put its "
                "values into a few groups."
            )
        if len(values) < 2:
            said = f"'{values[0]}' or nothing" if values else "nothing"
            notes.append(f"Column '{name}' says {said} for every picture and is not used.")
            continue
        yes_no = two_valued(values)
        factor = Factor(factor_name(name), NO_YES if yes_no else tuple(values))
        indices = {v: factor.index(yes_no[v] if yes_no else v) for v in values}
        indices.update((cell, factor.null_index) for cell in unknown)
        columns.append(_Column(name, factor, indices))
    if not columns:
        raise SourceError(
            f"{table} has one label only. {' '.join(notes)} Two or more are needed, because a "
            "model that is asked for a label must know another one."
        )
    return columns


def _splits(
    rows: Sequence[_Row],
    labels: Sequence[tuple[int, ...]],
    table: Path,
    notes: list[str],
    *,
    share: float,
    seed: int,
) -> list[Split | None]:
    """The split of each row; None for rows that belong to a third one, such as test."""
    said = [row.cells.get("split", "").casefold() for row in rows]
    for row, word in zip(rows, said, strict=True):
        if word not in ("", "train", "training", *VAL_NAMES):
            raise SourceError(
                f"{table}, line {row.line}: split is '{row.cells['split']}'. Known: train, val."
            )
    val_word = next((word for word in VAL_NAMES if word in said), None)
    if val_word is None:
        picked = choose_val([row.file for row in rows], labels, share=share, seed=seed)
        notes.append(
            f"labels.csv names no pictures for val: {len(picked):,} of {len(rows):,} are held "
            "out, chosen by a hash of their names."
        )
        return ["val" if row.file in picked else "train" for row in rows]
    if val_word != "val":
        notes.append(f"labels.csv has no split val: {val_word} is used in its place.")
    return [
        "train" if word in ("", "train", "training") else "val" if word == val_word else None
        for word in said
    ]
