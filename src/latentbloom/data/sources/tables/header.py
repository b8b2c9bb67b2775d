"""The columns of a table by their names: which can be factors, and which says the split."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from latentbloom.data.sources.folders.split_folders import TRAIN, split_word
from latentbloom.data.sources.labels.bins import number
from latentbloom.data.sources.labels.names import factor_name
from latentbloom.data.sources.labels.values import is_missing
from latentbloom.data.sources.tables.table_file import FILE, HELP, SPLIT, Table, starts
from latentbloom.errors import SourceError
from latentbloom.words import did_you_mean


def check_header(table: Table, wanted: Collection[str]) -> None:
    """Refuse names of columns that occur twice or are missing, of columns that are needed.

    Raises:
        SourceError: They do, or no column can be a factor.
    """
    found = starts(table.path, table.header)
    names = [factor_name(name, "") for name in table.header]
    named = [name for name in names if name]
    twice = [name for name in dict.fromkeys(named) if named.count(name) > 1]
    if twice and (not wanted or set(twice) & {*wanted, FILE, SPLIT}):
        raise SourceError(
            f"{found}: '{twice[0]}' occurs twice. Each column needs a name of its own."
        )
    for place, name in enumerate(table.header):
        if not name and not wanted and not _is_index(table.column(place)):
            raise SourceError(f"{found}: one has no name. Each column needs a name of its own.")
    if not candidates(table):
        raise SourceError(f"{found}: there is no factor among them. {HELP}")


def _is_index(cells: Sequence[str]) -> bool:
    """Whether cells are all empty, or count the rows."""
    filled = [cell for cell in cells if cell]
    return len(set(filled)) == len(filled) and all(number(cell) is not None for cell in filled)


def candidates(table: Table) -> list[tuple[int, str]]:
    """Place and name of the columns that can be factors."""
    return [(p, name) for p, name in enumerate(table.header) if name and name not in (FILE, SPLIT)]


def check_known(asked: Sequence[str], known: Collection[str], table: Table, option: str) -> None:
    """Refuse names that no column has.

    Raises:
        SourceError: There is one.
    """
    for name in asked:
        if name not in known:
            raise SourceError(
                f"{table.path} has no column '{name}' for {option}.{did_you_mean(name, known)} It "
                f"has: {', '.join(known)}."
            )


def split_column(table: Table, names: Mapping[int, str], wanted: Collection[str]) -> int | None:
    """The column `split`, or the only one all of whose words are names of splits."""
    if SPLIT in table.header:
        return table.header.index(SPLIT)
    found = []
    for place, name in names.items():
        words = {split_word(cell) for cell in set(table.column(place)) if not is_missing(cell)}
        if name not in wanted and TRAIN in words and len(words) > 1 and None not in words:
            found.append(place)
    return found[0] if len(found) == 1 else None
