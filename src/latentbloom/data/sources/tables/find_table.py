"""Which file of a folder is its table of labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from latentbloom.data.sources.base import refuse_odd
from latentbloom.data.sources.tables.table_file import HELP, Table
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import is_file, list_folder
from latentbloom.words import listed

TABLE = "labels.csv"
_HUGGING_FACE = ("metadata.csv", "metadata.jsonl")
_MEANT = frozenset(
    f"{stem}{ending}"
    for stem in ("label", "labels", "lables")
    for ending in (".csv", ".tsv", ".tab", ".csv.txt", ".tsv.txt", ".csv.csv", ".jsonl")
)
"""Names, in lower case, that labels.csv gets by mistake, or in another format."""

_TABLE_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".xlsx", ".xls", ".parquet")


@dataclass(frozen=True)
class FoundTable:
    """A table of labels.

    Arguments:
        path: Its file.
        notes: A sentence about its name, if it is not labels.csv.
        layout: What it was taken for, and why.
        folder: The folder that the pictures' names begin at; None: that of the file.
        read: Reads it; None: as a table of text.
        files: All files that belong to it, relative to the folder, where they are several.
    """

    path: Path
    notes: tuple[str, ...] = ()
    layout: str = ""
    folder: Path | None = None
    read: Callable[[], Table] | None = None
    files: tuple[str, ...] = ()


def find_table(folder: Path) -> FoundTable | None:
    """The table of a folder: labels.csv, or what was meant as one.

    None where the folder has none.

    Raises:
        SourceError: Several files could be meant.
    """
    exact = folder / TABLE
    refuse_odd(exact)
    if is_file(exact):
        return FoundTable(exact, layout=f"a table of labels, because there is {TABLE}")
    names = visible_files(folder)
    meant = [name for name in names if name.casefold() in _MEANT]
    if len(meant) > 1:
        raise SourceError(
            f"{folder} holds {listed(meant)}, but no {TABLE}. Call the one that holds the labels "
            f"{TABLE}."
        )
    if not meant:
        return None
    note = f"There is no {TABLE}: {meant[0]} is read in its place."
    return FoundTable(folder / meant[0], (note,), f"a table of labels, because of {meant[0]}")


def table_given(path: Path) -> bool:
    """Whether a file that is given as a source is a table of labels, by its name."""
    name = path.name.casefold()
    return is_file(path) and (name.endswith((".csv", ".tsv", ".tab", ".jsonl")) or name in _MEANT)


def say_other_tables(folder: Path) -> str:
    """A sentence, with a space in front, about files that may hold labels; "" if there are none."""
    for child in list_folder(folder):
        for name in (TABLE, *_HUGGING_FACE):
            if child.is_dir() and is_file(folder / child.name / name):
                place = folder / child.name
                return f" {child.name}/ holds {name}: give {place} to use the pictures in it."
    tables = [name for name in visible_files(folder) if name.casefold().endswith(_TABLE_ENDINGS)]
    if not tables:
        return ""
    found = listed(tables[:3]) + (" and others" if len(tables) > 3 else "")
    return f" It holds {found}: if the labels are in there, write them into {TABLE}. {HELP}"


def visible_files(folder: Path) -> list[str]:
    """Names of the files directly in a folder that are not hidden."""
    return [child.name for child in list_folder(folder) if child.is_file() and child.name[0] != "."]
