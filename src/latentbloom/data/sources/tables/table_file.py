"""Reading a table of labels: comma, semicolon, tab or bar between the cells, or JSON lines."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from latentbloom.errors import SourceError
from latentbloom.foreign.json_files import parse_json
from latentbloom.storage.user_files import read_bytes, reason

FILE, SPLIT = "file", "split"
HELP = (
    "The first line names the columns, as in file,smiling,glasses: `file` is a picture's path "
    "below the folder, `split` (train or val) may be there, every other column is a factor."
)
_LIKE_FILE = ("filename", "file_name", "image", "image_id", "img", "path", "name", "picture")
_HUGGING_FACE = "file_name"
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Arguments:
        line: Its line, or its place in a list, from 1.
        file: The picture that it names, with "/" between folders.
        cells: All cells, in the order of the header.
        also: Other names that the picture may have.
    """

    line: int
    file: str
    cells: tuple[str, ...]
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of labels.

    Arguments:
        path: Its file.
        header: The names of the columns; `file` and `split` in lower case, "" where one has none.
        rows: The rows that are not empty.
        unit: What `Row.line` counts.
        notes: Sentences for the user about what was left out.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    unit: str = "line"
    notes: tuple[str, ...] = ()

    def column(self, place: int) -> list[str]:
        """The cells of a column."""
        return [row.cells[place] for row in self.rows]


def read_table(path: Path) -> Table:
    """Read a table.

    Raises:
        SourceError: It is not text, has no column `file`, or a row of another length.
    """
    text = _text(path)
    if path.suffix.casefold() == ".jsonl":
        header, lines = _json_lines(text, path)
    else:
        header, lines = _separated(text, path)
    header = [_known_name(name, path) for name in header]
    if FILE not in header:
        like = [name for name in header if name.casefold() in _LIKE_FILE]
        rename = f" Rename '{like[0]}' to 'file'." if like else ""
        raise SourceError(f"{starts(path, header)}, but `file` is not among them.{rename} {HELP}")
    place = header.index(FILE)
    rows = []
    for number, cells in lines:
        if not cells[place]:
            raise SourceError(f"{path}, line {number}: the cell under `file` is empty.")
        rows.append(Row(number, cells[place].replace("\\", "/"), tuple(cells)))
    return Table(path, tuple(header), tuple(rows))


def starts(path: Path, header: Sequence[str]) -> str:
    """The start of a sentence about a header."""
    return f"{path} starts with the columns {', '.join(header) or '(nothing)'}"


def _text(path: Path) -> str:
    try:
        content = read_bytes(path)
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error


def _known_name(name: str, path: Path) -> str:
    folded = name.casefold()
    if folded in (FILE, SPLIT):
        return folded
    # Hugging Face names the column in metadata.csv and metadata.jsonl like this.
    return FILE if folded == _HUGGING_FACE and path.stem.casefold() == "metadata" else name


def _separated(text: str, path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header and the rows, cells stripped, each row as long as the header."""
    first, _, rest = text.partition("\n")
    above = 0
    said = re.fullmatch(r'"?sep=(.)"?', first.strip("\r "))  # as Excel writes and reads it
    if said is not None:
        text, above = rest, 1
        first = rest.partition("\n")[0]
    delimiter = said[1] if said is not None else max(_DELIMITERS, key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [cell.strip() for cell in next(lines, [])]
        rows = [(above + lines.line_num, [cell.strip() for cell in line]) for line in lines]
    except csv.Error as error:
        number = above + lines.line_num
        raise SourceError(f"{path}, line {number} is no row of a table: {error}.") from None
    return header, _even(rows, header, path)


def _even(
    rows: Sequence[tuple[int, list[str]]], header: list[str], path: Path
) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, without the empty cells that spreadsheets leave at the end."""
    width = len(header)
    named = max((place for place, name in enumerate(header, 1) if name), default=0)
    for number, cells in rows:
        if not any(cells):
            continue
        while len(cells) > width and not cells[-1]:
            cells.pop()
        if not named <= len(cells) <= width:
            raise SourceError(
                f"{path}, line {number}: {len(cells)} cells, but the header has "
                f"{named} ({', '.join(header[:named])}). Write every cell; leave it empty when "
                "the value is unknown."
            )
        yield number, cells + [""] * (width - len(cells))


def _json_lines(text: str, path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """One JSON object a line; the keys of all of them are the columns."""
    found: list[tuple[int, dict[str, object]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise SourceError(f"{path}, line {number} is not JSON: {error}.") from None
        if not isinstance(row, dict):
            raise SourceError(f"{path}, line {number} is not an object of columns and values.")
        found.append((number, row))
    header = list(dict.fromkeys(key for _, row in found for key in row))
    rows = ((number, [_cell(row.get(key)) for key in header]) for number, row in found)
    return header, rows


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
