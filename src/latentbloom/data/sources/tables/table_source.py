"""A folder with a table of labels: several factors at once, empty cells mean "not known"."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from latentbloom.conditions import ConditionSpec
from latentbloom.data.listed.entry import Split
from latentbloom.data.sources.base import Entry, FileSource, SetAside, Source
from latentbloom.data.sources.folders.split_folders import TRAIN, VAL_NAMES, split_word
from latentbloom.data.sources.folders.unread import (
    RUN,
    lies_in,
    refuse_run,
    say_unread,
)
from latentbloom.data.sources.folders.walk import Found, find_pictures
from latentbloom.data.sources.labels.bins import Edges, write_bins
from latentbloom.data.sources.labels.hold_out_share import choose_val, say_share
from latentbloom.data.sources.labels.names import natural_key
from latentbloom.data.sources.labels.values import is_missing
from latentbloom.data.sources.tables.columns import Columns, find_columns
from latentbloom.data.sources.tables.find_files import Finder
from latentbloom.data.sources.tables.find_table import FoundTable
from latentbloom.data.sources.tables.matches import check_matches
from latentbloom.data.sources.tables.table_file import Row, Table, read_table
from latentbloom.errors import SourceError
from latentbloom.words import plural, shortened


@dataclass(frozen=True)
class TableSource(FileSource):
    """A source whose labels are in a table. See `Source` for the attributes.

    Arguments:
        bins: The edges of the bins of its numbers, as `SourceOptions.bins` takes them.
    """

    bins: str = ""


def bins_of(source: Source) -> str:
    """The edges of a source's bins, which put the same numbers into them again; "" for none."""
    while not isinstance(source, TableSource):
        inner = getattr(source, "whole", None)
        if inner is None:
            return ""
        source = inner
    return source.bins


def open_table(
    found: FoundTable,
    *,
    name: str,
    seed: int = 0,
    val_share: float = 0.1,
    wanted: Collection[str] = (),
    bins: Mapping[str, int | Edges] | None = None,
    as_written: bool = False,
) -> TableSource:
    """List the pictures that a table names.

    Arguments:
        found: The table; the pictures lie at any depth below its folder.
        name: What the user called the source.
        seed: Decides which pictures are held out.
        val_share: Share to hold out if no column says so.
        wanted: As in `find_columns`.
        bins: As in `find_columns`.
        as_written: As in `find_columns`.

    Raises:
        SourceError: The table cannot be understood, contradicts itself, names no picture that
            is there, or has no column with different values.
    """
    path = found.path
    folder = found.folder or path.parent
    refuse_run(folder, name)
    table = found.read() if found.read is not None else read_table(path)
    below = find_pictures(folder)
    set_aside: list[SetAside] = []
    finder = Finder(folder, below.pictures)
    present = replace(table, rows=tuple(_present(table, finder, below, set_aside)))
    check_matches(table, present, below.pictures, set_aside)
    columns = find_columns(present, wanted=wanted, bins=bins, as_written=as_written)
    notes = [*found.notes, *table.notes, *finder.say(path.name), *columns.notes]
    rows = _once(present, columns, notes)
    labels = [tuple(c.indices[row.cells[c.place]] for c in columns.factors) for row in rows]
    splits = splits_of_rows(rows, labels, present, columns, notes, share=val_share, seed=seed)
    entries = []
    for row, label, split in zip(rows, labels, splits, strict=True):
        if split is None:
            set_aside.append(SetAside(row.file, f"its split is '{_cell(row, columns.split)}'"))
        else:
            entries.append(Entry(row.file, label, split, folder / row.file))
    _check_train(splits, path)
    own = {path.name, *found.files} if found.folder is None else {*found.files}
    _unlisted(present, below, own, set_aside, notes)
    set_aside += [SetAside(f"{one.name}/", one.reason) for one in below.unread]
    return TableSource(
        name=name,
        spec=ConditionSpec(tuple(column.factor for column in columns.factors)),
        entries=tuple(sorted(entries, key=lambda entry: natural_key(entry.name))),
        notes=(*notes, *say_unread(below.unread)),
        set_aside=tuple(set_aside),
        readings=tuple(read for column in columns.factors for read in column.read),
        layout=found.layout or f"a table of labels, because {path.name} is one",
        bins=write_bins({c.factor.name: c.edges for c in columns.factors if c.edges}),
    )


def _present(table: Table, finder: Finder, below: Found, set_aside: list[SetAside]) -> list[Row]:
    """Rows whose picture is there, with its path below the folder."""
    present = []
    for row in table.rows:
        file, why = finder.find(row.file, row.also)
        if file is None:
            told = f"{table.path.name} {why}"
            missing = (
                f"{table.path.name} names it in {table.unit} {row.line}, but there is no such file"
            )
            set_aside.append(SetAside(row.file, told if why else missing))
        elif lies_in(file, below.unread, RUN):
            set_aside.append(SetAside(row.file, "it lies in a run of latentbloom"))
        else:
            present.append(replace(row, file=file))
    return present


def _once(table: Table, columns: Columns, notes: list[str]) -> list[Row]:
    """Rows without repetitions; two rows that contradict each other are an error."""
    used = [column.place for column in columns.factors]
    used += [columns.split] if columns.split is not None else []
    first: dict[str, Row] = {}
    for row in table.rows:
        known = first.setdefault(row.file, row)
        if any(known.cells[place] != row.cells[place] for place in used):
            raise SourceError(
                f"{table.path} lists {row.file} twice with different cells, in "
                f"{table.unit}s {known.line} and {row.line}. Keep one of them."
            )
    if repeated := len(table.rows) - len(first):
        verb = "repeats" if repeated == 1 else "repeat"
        notes.append(f"{plural(repeated, 'row')} of {table.path.name} {verb} another one.")
    return list(first.values())


def _check_train(splits: Sequence[Split | None], path: Path) -> None:
    if "train" not in splits:
        raise SourceError(f"{path} names no picture to train on: all belong to other splits.")


def _unlisted(
    table: Table, below: Found, own: Collection[str], set_aside: list[SetAside], notes: list[str]
) -> None:
    """Name the pictures that the table does not."""
    listed = {row.file for row in table.rows}
    others = sorted(
        (name for path in below.pictures if (name := path.as_posix()) not in listed),
        key=natural_key,
    )
    if others:
        total = len(others) + len(listed)
        notes.append(
            f"Not in {table.path.name} and not used: {len(others):,} of {total:,} pictures "
            f"({shortened(others)})."
        )
    set_aside += [SetAside(name, f"{table.path.name} does not name it") for name in others]
    set_aside += [aside for aside in below.set_aside if aside.name not in own]


def _cell(row: Row, place: int | None) -> str:
    return "" if place is None else row.cells[place]


def splits_of_rows(
    rows: Sequence[Row],
    labels: Sequence[tuple[int, ...]],
    table: Table,
    columns: Columns,
    notes: list[str],
    *,
    share: float,
    seed: int,
) -> list[Split | None]:
    """The split of each row; None for rows that belong to a third one, such as test.

    Arguments:
        rows: The rows.
        labels: Their labels.
        table: Their table, for messages.
        columns: Its columns.
        notes: Receives sentences about what was decided.
        share: Share to hold out if no column says so.
        seed: Decides which pictures are held out.

    Raises:
        SourceError: A cell names no split.
    """
    said = []
    for row in rows:
        cell = _cell(row, columns.split)
        word = TRAIN if is_missing(cell) else split_word(cell)
        if word is None:
            raise SourceError(
                f"{table.path}, {table.unit} {row.line}: split is '{cell}'. Known: train, val."
            )
        said.append(word)
    val_word = next((word for word in VAL_NAMES if word in said), None)
    if val_word is None:
        picked = choose_val([row.file for row in rows], labels, share=share, seed=seed)
        said = say_share(len(picked), len(rows))
        notes.append(f"{table.path.name} names no pictures for val: {said}.")
        return ["val" if row.file in picked else "train" for row in rows]
    if val_word != "val":
        notes.append(f"{table.path.name} has no split val: {val_word} is used in its place.")
    return ["train" if w == TRAIN else "val" if w == val_word else None for w in said]
