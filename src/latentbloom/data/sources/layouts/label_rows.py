"""Rows of labels that other programs write, brought to one table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from latentbloom.data.sources.labels.names import factor_name, natural_key
from latentbloom.data.sources.tables.table_file import FILE, SPLIT, Row, Table
from latentbloom.errors import SourceError
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.user_files import reason


@dataclass(slots=True)
class Labelled:
    """The labels of one picture.

    Arguments:
        file: Its name below the folder.
        line: Its place in the file of labels, from 1.
        cells: Words by name of the factor.
        labels: Labels that have no factor of their own: none, one or several.
        split: The split that it belongs to; "" where nothing says so.
        also: Other names that the picture may have.
    """

    file: str
    line: int
    cells: dict[str, str] = field(default_factory=dict)
    labels: Collection[str] = ()
    split: str = ""
    also: tuple[str, ...] = ()


def to_table(
    path: Path,
    rows: Sequence[Labelled],
    *,
    label: str = "label",
    unit: str = "entry",
    notes: Sequence[str] = (),
) -> Table:
    """A table of pictures and factors.

    Where each picture has one label at most, the labels are one factor; where some have several,
    each label is a factor of its own: yes or no.

    Arguments:
        path: The file of labels, for messages.
        rows: The pictures.
        label: Name of the factor that is made of `Labelled.labels`.
        unit: What `Labelled.line` counts.
        notes: Sentences for the user.
    """
    several = any(len(row.labels) > 1 for row in rows)
    every = sorted({one for row in rows for one in row.labels}, key=natural_key)
    if several:
        for row in rows:
            row.cells |= {factor_name(one): "yes" if one in row.labels else "no" for one in every}
    elif every:
        for row in rows:
            row.cells[label] = next(iter(row.labels), "")
    columns = list(dict.fromkeys(name for row in rows for name in row.cells))
    split = any(row.split for row in rows)
    header = (FILE, *columns, *((SPLIT,) if split else ()))
    return Table(
        path,
        header,
        tuple(
            Row(
                row.line,
                row.file.replace("\\", "/"),
                (row.file, *(row.cells.get(c, "") for c in columns), *((row.split,) * split)),
                row.also,
            )
            for row in rows
        ),
        unit,
        tuple(notes),
    )


def merged(tables: Mapping[str, Table], splits: Mapping[str, str]) -> Table:
    """One table of several.

    Arguments:
        tables: By the folder that its pictures lie in, with "/" at the end.
        splits: The split of each folder.
    """
    first = next(iter(tables.values()))
    names = dict.fromkeys(n for t in tables.values() for n in t.header if n not in (FILE, SPLIT))
    header = (FILE, *names, SPLIT)
    rows = []
    for folder, table in tables.items():
        places = {name: place for place, name in enumerate(table.header)}
        for row in table.rows:
            cells = tuple(row.cells[places[name]] if name in places else "" for name in names)
            file = f"{folder}{row.file}"
            also = tuple(f"{folder}{other}" for other in row.also)
            rows.append(Row(row.line, file, (file, *cells, splits[folder]), also))
    notes = dict.fromkeys(note for table in tables.values() for note in table.notes)
    return Table(first.path, header, tuple(rows), first.unit, tuple(notes))


def json_of(path: Path) -> object:
    """The content of a JSON file of labels.

    Raises:
        SourceError: It is no JSON, or cannot be read.
    """
    try:
        return read_json(path)
    except ValueError as error:
        raise SourceError(f"{path} {error}.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error


def word(value: object) -> str:
    """A label as text: true and false as they are typed, 3.0 as 3, nothing as ""."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
