"""The list of a run's pictures."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from latentbloom.conditions import ANY, ConditionSpec
from latentbloom.data.audit.findings import Audit
from latentbloom.data.audit.list_changes import Changes, factor_changes
from latentbloom.data.audit.marks import Mark, MarkColumn, MarkList, marks_of
from latentbloom.data.listed.entries import Entries, EntryColumn
from latentbloom.data.listed.entry import Entry, Split
from latentbloom.data.sources.base import Source
from latentbloom.errors import SourceError
from latentbloom.foreign.json_lists import read_lists, write_lists
from latentbloom.storage.files import write_atomic


class Listed(Mapping[str, tuple[Split, tuple[str, ...]]]):
    """Split and words of the labels by name, in order, of pictures in arrays.

    Arguments:
        factors: The factors and their values, in order.
        entries: The pictures, labelled by them.
    """

    def __init__(self, factors: ConditionSpec, entries: Entries) -> None:
        self.factors = factors
        self.entries = entries

    @classmethod
    def of(
        cls, factors: ConditionSpec, rows: Iterable[tuple[str, Split, tuple[str, ...]]]
    ) -> Listed:
        """Pictures by their words; a KeyError or ValueError for words that the factors lack."""
        known = [
            {**{v: i for i, v in enumerate(f.values)}, ANY: f.null_index} for f in factors.factors
        ]
        column = EntryColumn()
        for name, split, words in rows:
            if split not in ("train", "val"):
                raise ValueError(f"'{split}' is no split")
            labels = tuple(indices[word] for indices, word in zip(known, words, strict=True))
            column.append(Entry(name, labels, split))
        return cls(factors, column.entries())

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[str]:
        return self.entries.names()

    def __getitem__(self, name: str) -> tuple[Split, tuple[str, ...]]:
        return self.words_of(self.entries.find(name))

    def words_of(self, entry: Entry) -> tuple[Split, tuple[str, ...]]:
        """The split and the words of one of the entries."""
        pairs = zip(self.factors.factors, entry.labels, strict=True)
        return entry.split, tuple(factor.word(index) for factor, index in pairs)


@dataclass(frozen=True)
class PictureList:
    """The pictures of a run that can be read.

    Arguments:
        treatment: What is done to the pixels; see `Source.treatment`.
        pictures: The factors, and by name, in order, the split and the words of the labels.
        marks: By name, what the pictures' files were like; empty in a list that is only compared,
            and for lists of earlier versions.
    """

    treatment: str
    pictures: Listed
    marks: MarkList = field(default_factory=MarkList, compare=False)

    @classmethod
    def of(cls, source: Source, audit: Audit, *, marked: bool = False) -> PictureList:
        """The list of a source, without the pictures that the audit found broken.

        Arguments:
            source: The source.
            audit: Its audit.
            marked: Also read every file, for `marks`.
        """
        entries = Entries.of(source.entries).without(aside.name for aside in audit.broken)
        marks = marks_of(source, entries) if marked else MarkList()
        return cls(source.treatment, Listed(source.spec, entries), marks)

    def save(self, path: Path) -> None:
        """Write the list as JSON, a picture a line."""
        head = {"factors": self.pictures.factors.to_json(), "treatment": self.treatment}
        lists = {
            "pictures": ([e.name, split, *words] for e, (split, words) in self._rows()),
            "files": ([name, *mark.to_json()] for name, mark in self.marks.items()),
        }
        write_atomic(path, partial(write_lists, head=head, lists=lists))

    def _rows(self) -> Iterator[tuple[Entry, tuple[Split, tuple[str, ...]]]]:
        return ((entry, self.pictures.words_of(entry)) for entry in self.pictures.entries)

    @classmethod
    def load(cls, path: Path) -> PictureList:
        """Read what `save` wrote.

        Raises:
            SourceError: The file is missing or broken.
        """
        try:
            pieces = read_lists(path, ["pictures", "files"])
            head: dict[str, Any] = next(pieces)[1]
            marks = MarkColumn()

            def rows() -> Iterator[tuple[str, Split, tuple[str, ...]]]:
                for kind, row in pieces:
                    if kind == "pictures":
                        name, split, *words = row
                        yield name, split, tuple(words)
                    else:
                        name, *mark = row
                        marks.append(name, Mark.from_json(mark))

            pictures = Listed.of(ConditionSpec.from_json(head["factors"]), rows())
            return cls(head["treatment"], pictures, marks.marks())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise SourceError(
                f"{path} is not a readable list of pictures ({error}). Delete it to continue "
                "without comparing the pictures."
            ) from error

    def replaced(self, source: Source) -> tuple[str, ...]:
        """Names of pictures whose files hold other content now."""
        entries = Entries.of(source.entries)
        return tuple(
            name
            for name, mark in self.marks.items()
            if (row := entries.row_of(name)) >= 0 and not mark.fits(source.files(entries[row]))
        )

    def changes_to(self, now: PictureList) -> Changes:
        """What is different in a newer list."""
        before, after = self.pictures.entries, now.pictures.entries
        rows = _rows_in(before, after)
        there = rows >= 0
        old, new = before.take(np.flatnonzero(there)), after.take(rows[there])
        other = _other_labels(self.pictures.factors, old, now.pictures.factors, new)
        moved: dict[tuple[Split, Split], list[str]] = {}
        for place in np.flatnonzero(old.held_out != new.held_out).tolist():
            entry = old[place]
            moved.setdefault((entry.split, new[place].split), []).append(entry.name)
        is_new = np.ones(len(after), bool)
        is_new[rows[there]] = False
        return Changes(
            added=tuple(after.take(np.flatnonzero(is_new)).names()),
            removed=tuple(before.take(np.flatnonzero(~there)).names()),
            relabelled=tuple(old.take(np.flatnonzero(other)).names()),
            moved={way: tuple(names) for way, names in moved.items()},
            reordered=bool((np.diff(rows[there]) < 0).any()),
            factors=factor_changes(self.pictures.factors, now.pictures.factors),
            treatment=self.treatment != now.treatment,
        )


def _rows_in(before: Entries, after: Entries) -> np.ndarray:
    """For each name of a list its row in another one, int64 (N,); -1 where it is not there."""
    if len(before) == len(after) and all(map(operator.eq, before.names(), after.names())):
        return np.arange(len(before))
    return np.fromiter(map(after.row_of, before.names()), np.int64, len(before))


def _other_labels(
    then: ConditionSpec, old: Entries, now: ConditionSpec, new: Entries
) -> np.ndarray:
    """Which pictures have other words than before, bool (N,)."""
    if then == now:
        return (old.labels != new.labels).any(axis=1)
    if len(then.factors) != len(now.factors):
        return np.ones(len(old), bool)
    other = np.zeros(len(old), bool)
    for place, (a, b) in enumerate(zip(then.factors, now.factors, strict=True)):
        words = np.array([*a.values, ANY], object), np.array([*b.values, ANY], object)
        other |= words[0][old.labels[:, place]] != words[1][new.labels[:, place]]
    return other
