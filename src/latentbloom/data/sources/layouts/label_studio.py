"""Label Studio's exports: CSV and JSON-MIN, one row or object a picture and annotator."""

from __future__ import annotations

import csv
import io
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from latentbloom.data.reading import is_picture_name
from latentbloom.data.sources.labels.names import factor_name
from latentbloom.data.sources.layouts.label_rows import Labelled, to_table, word
from latentbloom.data.sources.tables.find_table import FoundTable
from latentbloom.data.sources.tables.table_file import FILE, SPLIT, Table
from latentbloom.errors import SourceError
from latentbloom.foreign.json_files import parse_json
from latentbloom.storage.user_files import open_file, read_text, reason
from latentbloom.words import plural, shortened

_MARK = "annotation_id"
_MOST_HEADER = 1 << 16
_ABOUT = frozenset(
    (
        *("id", _MARK, "annotator", "created_at", "updated_at", "lead_time", "agreement"),
        *("inner_id", "project", "comment_count", "unresolved_comment_count", "last_comment"),
    )
)
"""Columns about the work, not about the picture."""

_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of a picture that was uploaded."""

Record = Mapping[str, object]


def found_csv(path: Path) -> FoundTable | None:
    """A CSV of Label Studio; None if it is another one."""
    try:
        with open_file(path) as file:
            header = file.readline(_MOST_HEADER).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    if _MARK not in next(csv.reader([header]), []):
        return None
    return _found(path, f"a column {_MARK}", lambda: _csv_records(path))


def found_json_min(path: Path, tree: object) -> FoundTable | None:
    """A JSON-MIN of Label Studio; None if it is something else.

    Raises:
        SourceError: It is Label Studio's full JSON.
    """
    if not isinstance(tree, list) or not tree or not all(isinstance(one, dict) for one in tree):
        return None
    if _MARK in tree[0]:
        return _found(path, f"objects with {_MARK}", lambda: enumerate(tree, 1))
    if "annotations" in tree[0] and "data" in tree[0]:
        raise SourceError(f"{path} is Label Studio's full JSON. Export it as JSON-MIN or CSV.")
    return None


def _found(
    path: Path, what: str, records: Callable[[], Iterable[tuple[int, Record]]]
) -> FoundTable:
    return FoundTable(
        path,
        layout=f"Label Studio's export, because {path.name} has {what}",
        read=lambda: _table(path, records()),
    )


def _csv_records(path: Path) -> Iterable[tuple[int, Record]]:
    try:
        lines = csv.DictReader(io.StringIO(read_text(path, "utf-8-sig"), newline=""))
        for record in lines:
            record.pop(None, None)  # cells beyond the header
            yield lines.line_num, record
    except (csv.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as CSV: {error}.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error


def _table(path: Path, records: Iterable[tuple[int, Record]]) -> Table:
    found = list(records)
    column = _picture_column([record for _, record in found], path)
    factors = [
        name
        for name in dict.fromkeys(str(name) for _, record in found for name in record)
        if name not in _ABOUT and name != column
    ]
    by_file: dict[str, list[Labelled]] = {}
    for line, record in found:
        names = _names(word(record.get(column)))
        if not names:
            continue
        row = Labelled(names[0], line, also=tuple(names[1:]))
        for name in factors:
            choices = _choices(record.get(name))
            if len(factors) == 1:
                row.labels = choices
            else:
                row.cells[_safe(name)] = ", ".join(sorted(choices))
        by_file.setdefault(names[0], []).append(row)
    rows, apart = [], []
    for file, same in by_file.items():
        if any((row.cells, sorted(row.labels)) != _said(same[0]) for row in same[1:]):
            apart.append(file)
        else:
            rows.append(same[0])
    notes = []
    if apart:
        verb = "is" if len(apart) == 1 else "are"
        notes.append(
            f"Annotators disagree about {plural(len(apart), 'picture')}, which {verb} not used "
            f"({shortened(apart)})."
        )
    label = _safe(factors[0]) if len(factors) == 1 else "label"
    return to_table(path, rows, label=label, unit="line", notes=notes)


def _said(row: Labelled) -> tuple[dict[str, str], list[str]]:
    return row.cells, sorted(row.labels)


def _safe(name: str) -> str:
    """A factor's name that is no name of a column with another meaning."""
    name = factor_name(name)
    return f"{name}_" if name in (FILE, SPLIT) else name


def _picture_column(records: list[Record], path: Path) -> str:
    """The column with names of pictures."""
    names = dict.fromkeys(str(name) for record in records for name in record)
    for name in sorted(names, key=lambda name: name not in ("image", "img", "picture", "photo")):
        cells = [word(record.get(name)) for record in records if record.get(name)]
        if name not in _ABOUT and cells and all(map(_is_picture, cells)):
            return name
    raise SourceError(
        f"{path} has no column of pictures. Its columns: {', '.join(names)}. One must hold names "
        "of pictures, as `image` does."
    )


def _is_picture(cell: str) -> bool:
    names = _names(cell)
    return bool(names) and is_picture_name(names[0])


def _names(written: str) -> list[str]:
    """Names that a picture may have on the disk: /data/upload/1/0a1b2c3d-cat.jpg is cat.jpg."""
    parts = urlsplit(written)
    path = next(iter(parse_qs(parts.query).get("d", [])), "") or unquote(parts.path)
    path = path.replace("\\", "/").lstrip("/")
    if not path:
        return []
    folder, name = posixpath.split(path)
    plain = _PREFIX.sub("", name)
    names = [path, posixpath.join(folder, plain), name, plain]
    pieces = folder.split("/")
    tails = ["/".join((*pieces[k:], n)) for k in range(1, len(pieces)) for n in (name, plain)]
    return list(dict.fromkeys([*tails, *names]))


def _choices(value: object) -> list[str]:
    """The labels in a cell: a word, or {"choices": [...]}, also as text."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            value = parse_json(value)
        except ValueError:
            return [value.strip()] if isinstance(value, str) else []
    if isinstance(value, Mapping):
        value = value.get("choices", json.dumps(value))
    if isinstance(value, list):
        return [text for one in value if (text := word(one))]
    return [text] if (text := word(value)) else []
