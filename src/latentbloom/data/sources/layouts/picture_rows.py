"""Pictures whose bytes are in a column of a table: the table as a folder, a picture a row."""

from __future__ import annotations

import errno
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from latentbloom.data.sources.archives.member_names import MOST_BYTES
from latentbloom.data.sources.folders.split_folders import split_word
from latentbloom.data.sources.labels.names import factor_name
from latentbloom.data.sources.layouts.columnar import Columns, saying_broken
from latentbloom.data.sources.layouts.label_rows import Labelled, to_table
from latentbloom.data.sources.tables.find_table import FoundTable
from latentbloom.data.sources.tables.table_file import FILE, SPLIT, Table
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import mount
from latentbloom.storage.user_files import read_bytes, reason
from latentbloom.words import listed, plural, shortened

_MOST_KEPT = 256 << 20
"""Bytes of pictures that stay in memory: a Parquet file is read by groups of rows."""

_ENDING = ".png"
"""Of the names that rows get; what a picture really is, its first bytes tell."""


@dataclass(frozen=True)
class Piece:
    """One file of a set of rows.

    Arguments:
        split: The split that its rows belong to.
        columns: The table.
        pictures: The column that holds the pictures.
    """

    split: str
    columns: Columns
    pictures: str


@dataclass(frozen=True)
class PictureRows:
    """Rows as members "train/12.png"; see `mounts.Container`.

    Arguments:
        title: See `mounts.Container`.
        pieces: The tables, those of a split one after another.
        time: When they changed last, in nanoseconds.
        folder: Where a row may name a file in place of bytes; None: nowhere.
    """

    title: str
    pieces: Sequence[Piece]
    time: int
    folder: Path | None = None
    _kept: OrderedDict[tuple[int, int], list[object]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def places(self) -> dict[str, tuple[int, int]]:
        """By name the piece and the row of a picture."""
        found: dict[str, tuple[int, int]] = {}
        done: dict[str, int] = {}
        for place, piece in enumerate(self.pieces):
            first = done.get(piece.split, 0)
            for row in range(piece.columns.count):
                found[f"{piece.split}/{first + row}{_ENDING}"] = (place, row)
            done[piece.split] = first + piece.columns.count
        return found

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """The sizes are not known before the rows are read."""
        return dict.fromkeys(self.places, 0)

    def read(self, name: str) -> bytes:
        """The bytes of a picture; see `mounts.Container`."""
        place, row = self.places[name]
        columns = self.pieces[place].columns
        group = bisect_right(columns.starts, row) - 1
        cell = self._group(place, group)[row - columns.starts[group]]
        return self._content(cell)

    def _group(self, place: int, group: int) -> list[object]:
        with self._lock:
            known = self._kept.get((place, group))
            if known is not None:
                self._kept.move_to_end((place, group))
                return known
        piece = self.pieces[place]
        with saying_broken():
            cells = piece.columns.read(group, [piece.pictures]).column(0).to_pylist()
        if len(cells) > 1:
            with self._lock:
                self._kept[place, group] = cells
                while len(self._kept) > 1 and sum(map(_weight, self._kept.values())) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        return cells

    def _content(self, cell: object) -> bytes:
        content = cell.get("bytes") if isinstance(cell, dict) else cell
        if isinstance(content, bytes):
            if len(content) > MOST_BYTES:
                raise OSError(errno.EFBIG, f"it has more than {MOST_BYTES:,} bytes")
            return content
        path = cell.get("path") if isinstance(cell, dict) else None
        if not path:
            raise OSError(errno.ENODATA, "its row holds no picture")
        file = Path(path)
        if self.folder is None or not file.resolve().is_relative_to(self.folder.resolve()):
            raise OSError(errno.ENODATA, f"its row holds no bytes, only the path {path}")
        return read_bytes(file)


def _weight(cells: Sequence[object]) -> int:
    contents = (cell.get("bytes") if isinstance(cell, dict) else cell for cell in cells)
    return sum(len(content) for content in contents if isinstance(content, bytes))


def piece_of(split: str, columns: Columns) -> Piece:
    """A piece of a set of rows.

    Raises:
        SourceError: No column holds pictures.
    """
    found = columns.picture_columns()
    if not found:
        raise SourceError(
            f"{columns.path} holds no pictures. Its columns: {', '.join(columns.names)}. One must "
            "hold the bytes of picture files, as Hugging Face's Image does."
        )
    return Piece(split, columns, found[0])


def found_rows(where: Path, rows: PictureRows, layout: str, notes: Sequence[str]) -> FoundTable:
    """Mount rows as a folder, and give the table of their labels.

    Arguments:
        where: The path that the pictures get; nothing lies there on the disk.
        rows: The rows.
        layout: What they were taken for, and why.
        notes: Sentences for the user.
    """
    mount(where, rows)
    said = list(notes)
    for column in dict.fromkeys(piece.pictures for piece in rows.pieces):
        others = {n for p in rows.pieces for n in p.columns.picture_columns()} - {column}
        if others:
            said.append(
                f"Column '{column}' holds the pictures; not used: {listed(sorted(others))}."
            )
    return FoundTable(
        where,
        tuple(said),
        layout,
        folder=where,
        read=lambda: _table(where, rows),
    )


def _table(where: Path, rows: PictureRows) -> Table:
    labelled: list[Labelled] = []
    lost: list[str] = []
    splits, notes = _splits([piece.split for piece in rows.pieces])
    names = iter(rows.places)
    for piece in rows.pieces:
        mine = [next(names) for _ in range(piece.columns.count)]
        if piece.split not in splits:
            continue
        try:
            words = {_safe(name): cells for name, cells in piece.columns.words().items()}
            sets = piece.columns.sets()
        except OSError as error:
            lost.append(f"{piece.columns.path.name}: {reason(error)}")
            continue
        for row, name in enumerate(mine):
            one = Labelled(name, row + 1, split=splits[piece.split])
            one.cells = {column: cells[row] for column, cells in words.items()}
            if len(sets) == 1:
                one.labels = next(iter(sets.values()))[row]
            labelled.append(one)
    if lost:
        if not labelled:
            raise SourceError(f"{where} has no labels that can be read. {shortened(lost)}.")
        notes.append(f"Lost, because their labels cannot be read: {shortened(lost, 5)}.")
    return to_table(where, labelled, unit="row", notes=notes)


def _splits(names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The split that each name means; names that are none are left out, unless all are."""
    found = {name: word for name in names if (word := split_word(name)) is not None}
    if len(set(names)) == 1:
        return {names[0]: ""}, []
    if "train" not in found.values():
        return dict.fromkeys(names, ""), []
    left = [name for name in dict.fromkeys(names) if name not in found]
    verb = "is" if len(left) == 1 else "are"
    notes = [f"{plural(len(left), 'split')} {verb} not used: {listed(left)}."] if left else []
    return found, notes


def _safe(name: str) -> str:
    name = factor_name(name)
    return f"{name}_" if name in (FILE, SPLIT) else name
