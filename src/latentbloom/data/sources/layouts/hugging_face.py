"""Hugging Face's image folders: metadata.csv, .jsonl or .parquet, one for all or one a split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from latentbloom.data.sources.folders.split_folders import TRAIN, split_word
from latentbloom.data.sources.layouts.columnar import columns_of
from latentbloom.data.sources.layouts.label_rows import Labelled, merged, to_table, word
from latentbloom.data.sources.tables.find_table import FoundTable
from latentbloom.data.sources.tables.table_file import SPLIT, Row, Table, read_table
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import is_file, list_folder
from latentbloom.storage.user_files import open_file, reason

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_COLUMN = "file_name"
_HEAD = 1 << 16


def find_metadata(folder: Path) -> FoundTable | None:
    """The metadata of a folder, of each of its splits, or of those in its only folder `data`."""
    path = _metadata(folder)
    if path is not None:
        return found_metadata(path)
    for top, prefix in ((folder, ""), (folder / "data", "data/")):
        splits = _splits(top)
        if splits:
            return _of_splits(folder, prefix, splits)
    return None


def found_metadata(path: Path) -> FoundTable:
    """One file of metadata, beside the pictures or above their folders."""
    note = f"{path.name} is read as Hugging Face writes it: {_COLUMN} names the picture."
    return FoundTable(
        path,
        (note,),
        f"a Hugging Face image folder, because {path.name} has a column {_COLUMN}",
        read=lambda: _with_splits(_read(path)),
    )


def is_metadata(path: Path) -> bool:
    """Whether a file is called like metadata and names pictures in a column file_name."""
    if path.name not in METADATA:
        return False
    try:
        if path.suffix == ".parquet":
            return _COLUMN in columns_of(path).names
        with open_file(path) as file:
            return _COLUMN.encode() in file.readline(_HEAD)
    except OSError:
        return False


def _metadata(folder: Path) -> Path | None:
    for name in METADATA:
        if is_file(folder / name) and is_metadata(folder / name):
            return folder / name
    return None


def _splits(top: Path) -> dict[str, Path]:
    """By name of the split's folder, its metadata; empty unless one is to train on."""
    try:
        children = [child.name for child in list_folder(top) if child.is_dir()]
    except OSError:
        return {}
    found = {
        child: path
        for child in children
        if split_word(child) is not None and (path := _metadata(top / child)) is not None
    }
    return found if any(split_word(child) == TRAIN for child in found) else {}


def _of_splits(folder: Path, prefix: str, splits: dict[str, Path]) -> FoundTable:
    folders = {f"{prefix}{child}/": path for child, path in splits.items()}
    names = [f"{place}{path.name}" for place, path in folders.items()]
    shown = " and ".join(names[:2]) + (" and others" if len(names) > 2 else "")
    return FoundTable(
        folder / names[0],
        layout=f"a Hugging Face image folder, because {shown} have a column {_COLUMN}",
        folder=folder,
        read=lambda: merged(
            {place: _read(path) for place, path in folders.items()},
            {f"{prefix}{child}/": split_word(child) or "" for child in splits},
        ),
        files=tuple(names),
    )


def _read(path: Path) -> Table:
    if path.suffix != ".parquet":
        return read_table(path)
    try:
        words = columns_of(path).words()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error
    factors = {name: cells for name, cells in words.items() if name != _COLUMN}
    rows = [
        Labelled(word(file), place, {name: cells[place - 1] for name, cells in factors.items()})
        for place, file in enumerate(words[_COLUMN], 1)
    ]
    empty = next((row.line for row in rows if not row.file), None)
    if empty is not None:
        raise SourceError(f"{path}, row {empty}: the cell under {_COLUMN} is empty.")
    return to_table(path, rows, unit="row")


def _with_splits(table: Table) -> Table:
    """The table with a column `split` where its pictures lie in folders of splits."""
    if SPLIT in (name.casefold() for name in table.header):
        return table
    places = [
        split_word(row.file.partition("/")[0]) if "/" in row.file else None for row in table.rows
    ]
    if None in places or TRAIN not in places or len(set(places)) < 2:
        return table
    rows = tuple(
        Row(row.line, row.file, (*row.cells, str(split)), row.also)
        for row, split in zip(table.rows, places, strict=True)
    )
    return replace(table, header=(*table.header, SPLIT), rows=rows)
