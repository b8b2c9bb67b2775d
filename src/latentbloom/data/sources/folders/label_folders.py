"""The pictures of label folders, before they are entries."""

from __future__ import annotations

import operator
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from latentbloom.data.listed.texts import Texts
from latentbloom.words import visible


@dataclass(frozen=True)
class LabelledPicture:
    """A picture, and the name of its label folder."""

    path: PurePosixPath
    label: str


class LabelledPictures(Sequence[LabelledPicture]):
    """Pictures and their label folders, in arrays.

    Arguments:
        names: The paths of all pictures that were found.
    """

    def __init__(self, names: Texts) -> None:
        self._names = names
        self._rows = array("q")
        self._words: dict[str, int] = {}
        self._labels = array("i")

    def add(self, row: int, label: str) -> None:
        """Add the picture at a row of all that were found."""
        self._rows.append(row)
        self._labels.append(self._words.setdefault(label, len(self._words)))

    @property
    def rows(self) -> np.ndarray:
        """The row of each, int64 (N,)."""
        return np.frombuffer(self._rows, np.int64) if self._rows else np.zeros(0, np.int64)

    def names(self) -> Iterator[str]:
        """The path of each."""
        return self._names.among(self.rows)

    def counts(self) -> Counter[str]:
        """Pictures in each label folder."""
        found = Counter(self._labels)
        return Counter({word: found[code] for word, code in self._words.items() if found[code]})

    def mapped(self, indices: dict[str, int]) -> np.ndarray:
        """For each the number that its label folder has, int64 (N,)."""
        table = np.array([indices.get(word, -1) for word in self._words], np.int64)
        return table[np.array(self._labels, np.int64)]

    def those(self, wanted: Callable[[str], bool]) -> LabelledPictures:
        """Those whose label folder is wanted."""
        found = LabelledPictures(self._names)
        words = list(self._words)
        keep = [wanted(word) for word in words]
        for row, code in zip(self._rows, self._labels, strict=True):
            if keep[code]:
                found.add(row, words[code])
        return found

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        place = operator.index(index)
        words = list(self._words)
        path = PurePosixPath(self._names[self._rows[place]])
        return LabelledPicture(path, words[self._labels[place]])

    def __iter__(self) -> Iterator[LabelledPicture]:
        words = list(self._words)
        for name, code in zip(self.names(), self._labels, strict=True):
            yield LabelledPicture(PurePosixPath(name), words[code])


class Below(Sequence[tuple[str, ...]]):
    """The parts of the paths below a sub-folder.

    Arguments:
        names: The paths of all pictures that were found.
    """

    def __init__(self, names: Texts) -> None:
        self._names = names
        self._rows = array("q")

    def add(self, row: int) -> None:
        """Add the picture at a row."""
        self._rows.append(row)

    def numbered(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The row of each, and the parts of its path."""
        return zip(self._rows, self, strict=True)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return self._parts(self._names[self._rows[operator.index(index)]])

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return map(self._parts, self._names.among(np.frombuffer(self._rows, np.int64)))

    @staticmethod
    def _parts(name: str) -> tuple[str, ...]:
        return tuple(name.split("/")[1:])


class VisibleNames(Sequence[str]):
    """Some of the paths, as entries are named.

    Arguments:
        names: All paths.
        rows: Which of them, int64 (N,).
    """

    def __init__(self, names: Texts, rows: np.ndarray) -> None:
        self._names = names
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return visible(self._names[int(self._rows[index])])

    def __iter__(self) -> Iterator[str]:
        return map(visible, self._names.among(self._rows))
