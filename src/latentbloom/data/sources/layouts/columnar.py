"""Tables of Parquet and Arrow: columns of labels, and pictures whose bytes are in a column."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.data.sources.archives.unpack_cache import on_disk
from latentbloom.data.sources.layouts.label_rows import word
from latentbloom.errors import SourceError
from latentbloom.foreign.json_files import parse_json

if TYPE_CHECKING:
    import pyarrow as pa

_NAMES = ("image", "img", "picture", "photo", "jpg", "png", "pixels")
"""Columns that are taken for the pictures before others."""

_INSTALL = (
    "Parquet and Arrow files are read by PyArrow, which is not installed. Install it: "
    "pip install 'latentbloom[hub]'"
)


def pyarrow() -> Any:
    """The package, or an error that says how to install it.

    Raises:
        SourceError: It is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as error:
        raise SourceError(_INSTALL) from error
    return pa


@dataclass(frozen=True)
class Columns:
    """One table: its columns, and how to read rows of some of them.

    Arguments:
        path: Its file, for messages.
        schema: Names and types of the columns.
        count: How many rows it has.
        starts: The first row of each piece that is read at once, and then `count`.
        read: Called with the number of a piece and names of columns; None for all pieces.
    """

    path: Path
    schema: pa.Schema
    count: int
    starts: Sequence[int]
    read: Callable[[int | None, Sequence[str]], pa.Table]

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        return self.schema.names

    @property
    def features(self) -> Mapping[str, Any]:
        """What Hugging Face says of the columns; empty where it did not write the file."""
        raw = (self.schema.metadata or {}).get(b"huggingface", b"{}")
        try:
            features = parse_json(raw.decode("utf-8", "replace"))["info"]["features"]
        except (ValueError, KeyError, TypeError):
            return {}
        return features if isinstance(features, dict) else {}

    def picture_columns(self) -> list[str]:
        """Columns with bytes of pictures, the likeliest first."""
        pa = pyarrow()
        found = []
        for name in self.names:
            kind = self.schema.field(name).type
            if pa.types.is_struct(kind):
                kind = kind.field("bytes").type if kind.get_field_index("bytes") >= 0 else None
            if kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
                found.append(name)
        return sorted(found, key=lambda n: _NAMES.index(n) if n in _NAMES else len(_NAMES))

    def words(self) -> dict[str, list[str]]:
        """The cells, as text, of each column that can hold labels: of one value, not of many."""
        pa = pyarrow()
        kinds = pa.types
        names = []
        for name in self.names:
            kind = self.schema.field(name).type
            kind = kind.value_type if kinds.is_dictionary(kind) else kind
            plain = (kinds.is_integer, kinds.is_boolean, kinds.is_string, kinds.is_large_string)
            if any(fits(kind) for fits in (*plain, kinds.is_floating, kinds.is_temporal)):
                names.append(name)
        table = self.read(None, names)
        with saying_broken():
            return {name: self._cells(name, table.column(name).to_pylist()) for name in names}

    def sets(self) -> dict[str, list[list[str]]]:
        """The labels of each column of lists of classes: several for a picture."""
        pa = pyarrow()
        names = [n for n in self.names if pa.types.is_list(self.schema.field(n).type)]
        inner = {name: _classes((self.features.get(name) or {}).get("feature")) for name in names}
        names = [name for name, classes in inner.items() if classes]
        table = self.read(None, names)
        with saying_broken():
            return {
                name: [
                    [_class(inner[name], value) for value in row or ()]
                    for row in table.column(name).to_pylist()
                ]
                for name in names
            }

    def _cells(self, name: str, values: Sequence[object]) -> list[str]:
        if classes := _classes(self.features.get(name)):
            return [_class(classes, value) for value in values]
        return [word(value) for value in values]


def _classes(about: object) -> list[object]:
    """Names of the classes of a column; empty where it has none."""
    names = about.get("names") if isinstance(about, dict) else None
    return names if isinstance(names, list) else []


def _class(names: Sequence[object], value: object) -> str:
    """The name of a class; nothing for -1, which Hugging Face writes where it is not known."""
    return word(names[value]) if isinstance(value, int) and 0 <= value < len(names) else ""


def columns_of(path: Path) -> Columns:
    """A Parquet file, or one of Arrow's streams or files; a member of an archive, too.

    Raises:
        OSError: It cannot be read, or is broken.
        SourceError: PyArrow is not installed.
    """
    pa = pyarrow()
    where = on_disk(path)
    with saying_broken():
        if path.suffix == ".parquet":
            return _parquet(path, where)
        mapped = pa.memory_map(str(where))  # the table keeps it open
        try:
            table = pa.ipc.open_stream(mapped).read_all()
        except pa.ArrowInvalid:
            table = pa.ipc.open_file(mapped).read_all()
        table.validate(full=True)  # offsets that lead out of the file would end the program
        return in_memory(path, table)


def in_memory(path: Path, table: pa.Table) -> Columns:
    """Columns of a table that is read at once, or mapped into memory."""
    _check_names(table.schema)

    def read(group: int | None, names: Sequence[str]) -> pa.Table:
        chosen = table.select(list(names))
        return chosen if group is None else chosen.slice(group, 1)

    return Columns(path, table.schema, table.num_rows, range(table.num_rows + 1), read)


def _parquet(path: Path, where: Path) -> Columns:
    pa = pyarrow()
    with pa.parquet.ParquetFile(where) as file:
        about, schema = file.metadata, file.schema_arrow
    _check_names(schema)
    starts = [0]
    for group in range(about.num_row_groups):
        starts.append(starts[-1] + about.row_group(group).num_rows)

    def read(group: int | None, names: Sequence[str]) -> pa.Table:
        with saying_broken(), pa.parquet.ParquetFile(where) as file:
            if group is None:
                return file.read(list(names), use_threads=False)
            return file.read_row_group(group, list(names), use_threads=False)

    return Columns(path, schema, about.num_rows, starts, read)


def _check_names(schema: pa.Schema) -> None:
    """Look every column up: names may be no text, or occur twice."""
    for name in schema.names:
        schema.field(name)


@contextmanager
def saying_broken() -> Iterator[None]:
    """Inside this context, what PyArrow raises for broken files is an OSError that says so."""
    try:
        yield
    except (pyarrow().ArrowException, ValueError, OverflowError, LookupError) as error:
        why = " ".join(str(error).split())[:120].rstrip(".")
        raise OSError(errno.EIO, f"it is broken or cut short ({why})") from error
