"""Which file of a folder is its table of labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latentbloom.data.sources.base import refuse_odd
from latentbloom.data.sources.tables.table_file import HELP
from latentbloom.errors import SourceError
from latentbloom.user_files import open_file
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
    """

    path: Path
    notes: tuple[str, ...] = ()


def find_table(folder: Path) -> FoundTable | None:
    """The table of a folder: labels.csv, Hugging Face's metadata.csv, or what was meant as one.

    None where the folder has none.

    Raises:
        SourceError: Several files could be meant.
    """
    exact = folder / TABLE
    refuse_odd(exact)
    if exact.is_file():
        return FoundTable(exact)
    names = _files(folder)
    for name in _HUGGING_FACE:
        if name in names and _names_pictures(folder / name):
            note = f"{name} is read as Hugging Face writes it: file_name names the picture."
            return FoundTable(folder / name, (note,))
    meant = [name for name in names if name.casefold() in _MEANT]
    if len(meant) > 1:
        raise SourceError(
            f"{folder} holds {listed(meant)}, but no {TABLE}. Call the one that holds the labels "
            f"{TABLE}."
        )
    if not meant:
        return None
    note = f"There is no {TABLE}: {meant[0]} is read in its place."
    return FoundTable(folder / meant[0], (note,))


def table_given(path: Path) -> bool:
    """Whether a file that is given as a source is a table of labels, by its name."""
    name = path.name.casefold()
    return path.is_file() and (name.endswith((".csv", ".tsv", ".tab", ".jsonl")) or name in _MEANT)


def say_other_tables(folder: Path) -> str:
    """A sentence, with a space in front, about files that may hold labels; "" if there are none."""
    for child in sorted(folder.iterdir()):
        for name in (TABLE, *_HUGGING_FACE):
            if child.is_dir() and (child / name).is_file():
                return f" {child.name}/ holds {name}: give {child} to use the pictures in it."
    tables = [name for name in _files(folder) if name.casefold().endswith(_TABLE_ENDINGS)]
    if not tables:
        return ""
    found = listed(tables[:3]) + (" and others" if len(tables) > 3 else "")
    return f" It holds {found}: if the labels are in there, write them into {TABLE}. {HELP}"


def _files(folder: Path) -> list[str]:
    return sorted(
        child.name for child in folder.iterdir() if child.is_file() and child.name[0] != "."
    )


def _names_pictures(path: Path) -> bool:
    """Whether the first line has the column file_name."""
    try:
        with open_file(path) as file:
            return b"file_name" in file.readline()
    except OSError:
        return False
