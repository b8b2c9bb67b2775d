"""From what shards say of their pictures to factors, splits and entries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from latentbloom.conditions import ANY, ConditionSpec
from latentbloom.config import SourceOptions
from latentbloom.data.listed.entries import Entries
from latentbloom.data.listed.entry import Split
from latentbloom.data.listed.name_index import NameIndex
from latentbloom.data.listed.scratch import stored
from latentbloom.data.sources.base import Entry, FileSource, SetAside
from latentbloom.data.sources.labels.bins import parse_bins, write_bins
from latentbloom.data.sources.labels.names import natural_key
from latentbloom.data.sources.shards.packed_set import PackedSet
from latentbloom.data.sources.shards.sample_rows import SampleRows
from latentbloom.data.sources.tables.columns import find_columns
from latentbloom.data.sources.tables.table_file import FILE, SPLIT, Row, Table
from latentbloom.data.sources.tables.table_source import TableSource, splits_of_rows
from latentbloom.errors import SourceError
from latentbloom.storage.user_files import FilePart
from latentbloom.words import shortened

_SPLITS: dict[str, Split] = {"train": "train", "val": "val"}


class Found(Protocol):
    """What was found in shards; see `ReadShards`."""

    name: str
    rows: SampleRows
    set_aside: list[SetAside]
    notes: list[str]


@dataclass(frozen=True)
class PackedSource(FileSource):
    """Pictures that `pack` wrote. See `Source` for the attributes.

    Arguments:
        treated: What was done to the pixels before they were packed.
    """

    treated: str = ""

    @property
    def treatment(self) -> str:
        """What was done before, or is done while decoding."""
        return self.treated or super().treatment


def say_origin(source: str) -> str:
    """A sentence about where a packed set is from; a run's audit keeps it."""
    return f"Packed from {source}."


def packed(found: Found, about: PackedSet) -> PackedSource:
    """The source that a packed set was made of: the same names, labels, splits and order."""
    known = [
        {**{v: i for i, v in enumerate(f.values)}, ANY: f.null_index} for f in about.factors.factors
    ]
    labels: list[tuple[int, ...]] = []
    splits: list[Split | None] = []  # None for words that the set does not have
    for pairs in found.rows.words:
        said = dict(pairs)
        words = [said.get(factor.name, ANY) for factor in about.factors.factors]
        indices = [values.get(word) for values, word in zip(known, words, strict=True)]
        labels.append(tuple(-1 if i is None else i for i in indices))
        splits.append(None if None in indices else _SPLITS.get(said.get(SPLIT, "")))
    names, worded = found.rows.names, found.rows.worded
    usable = np.array([split is not None for split in splits], bool)[worded]
    wrong = [(row, "its labels are not those of the packed set") for row in np.where(~usable)[0]]
    rows = np.flatnonzero(usable)
    index = NameIndex(names.among(rows), lambda k: names[int(rows[k])])
    repeated = rows[np.array(index.repeated(), np.int64)]
    wrong += [(row, "it occurs twice") for row in repeated]
    found.set_aside += [SetAside(names[int(row)], why) for row, why in sorted(wrong)]
    usable[repeated] = False
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(found.rows.positions[rows], kind="stable")]
    entries = Entries(
        names,
        found.rows.places,
        stored(np.array(labels, np.int64).reshape(len(labels), -1)[worded[rows]]),
        stored(np.array([split == "val" for split in splits], bool)[worded[rows]]),
        stored(rows),
    )
    return PackedSource(
        name=found.name,
        spec=about.factors,
        entries=entries,
        notes=(say_origin(about.source), *about.notes, *found.notes),
        set_aside=(*about.set_aside, *found.set_aside),
        readings=about.readings,
        treated=about.treatment,
    )


def labelled(
    found: Found, folder: str, options: SourceOptions, wanted: Collection[str], seed: int
) -> TableSource:
    """The source that shards of other programs are: their labels are read as a table's are.

    Raises:
        SourceError: There are no labels, or they cannot be understood.
    """
    names = list(dict.fromkeys(name for words in found.rows.words for name, _ in words))
    if not set(names) - {SPLIT}:
        raise SourceError(
            f"'{found.name}': no picture has a label. Each needs a file beside it in the shard: "
            'NAME.json, as in {"smiling": "yes"}, or NAME.cls with a number or a word.'
        )
    rows = _rows(found, names)
    table = Table(Path(folder), (FILE, *names), tuple(row for row, _ in rows))
    columns = find_columns(
        table,
        wanted=wanted,
        bins=parse_bins(options.bins),
        as_written=options.values_as_written,
    )
    labels = [tuple(c.indices[row.cells[c.place]] for c in columns.factors) for row, _ in rows]
    notes = [*columns.notes, *found.notes]
    splits = splits_of_rows(
        table.rows, labels, table, columns, notes, share=options.val_share, seed=seed
    )
    entries = [
        Entry(row.file, label, split, place)
        for (row, place), label, split in zip(rows, labels, splits, strict=True)
        if split is not None
    ]
    aside = [
        SetAside(row.file, "it belongs to another split")
        for (row, _), split in zip(rows, splits, strict=True)
        if split is None
    ]
    return TableSource(
        name=found.name,
        spec=ConditionSpec(tuple(column.factor for column in columns.factors)),
        entries=tuple(sorted(entries, key=lambda entry: natural_key(entry.name))),
        notes=tuple(notes),
        set_aside=(*found.set_aside, *aside),
        readings=tuple(read for column in columns.factors for read in column.read),
        bins=write_bins({c.factor.name: c.edges for c in columns.factors if c.edges}),
    )


def _rows(found: Found, names: Sequence[str]) -> list[tuple[Row, FilePart]]:
    rows: dict[str, tuple[Row, FilePart]] = {}
    repeated = []
    for line, (path, name, sample) in enumerate(found.rows, 1):
        if name in rows:
            repeated.append(name)
            found.set_aside.append(SetAside(name, "it occurs twice"))
            continue
        cells = (name, *(sample.words.get(word, "") for word in names))
        rows[name] = (Row(line, name, cells), FilePart(path, sample.start, sample.size))
    if repeated:
        found.notes.append(f"Twice in the shards, and used once: {shortened(repeated)}.")
    return list(rows.values())
