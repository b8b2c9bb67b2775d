"""From the paths in a table to the pictures that are there."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from latentbloom.storage.mounts import is_file
from latentbloom.words import plural

_OUTSIDE = "must name paths below its own folder"
_HOW = {
    "absolute": "an absolute path",
    "moved": "a path of another place, and the end of it is a picture here",
    "spelled": "a picture in other capitals",
    "elsewhere": "a picture that lies in a sub-folder",
    "ending": "a picture without its ending",
}


@dataclass
class Finder:
    """Finds the pictures that a table names.

    A path that is not there as it is written is looked for by other means, the surest first: in
    another form of accented letters or other capitals, as an absolute path of this or another
    place, by the file's name alone, and by that without its ending. What could be two pictures is
    none.

    Arguments:
        folder: Of the table.
        pictures: All pictures below it, relative to it.
    """

    folder: Path
    pictures: Sequence[PurePosixPath]
    found: dict[str, int] = field(default_factory=dict)
    """How many were found by which other means."""

    def __post_init__(self) -> None:
        self._there = {path.as_posix() for path in self.pictures}
        self._spelled = _index(self._there, lambda path: path)
        self._names = _index(self._there, posixpath.basename)
        self._stems = _index(self._there, lambda path: _stem(posixpath.basename(path)))

    def find(self, written: str, also: Sequence[str] = ()) -> tuple[str | None, str]:
        """The picture that a cell names, relative to the folder.

        Arguments:
            written: What the cell says.
            also: Other names that the picture may have; the first one that is there is taken.

        Returns:
            Its path, or None; and then why there is none, to follow the table's name.
        """
        for other in (written, *also) if also else ():
            if posixpath.normpath(other) in self._there:
                return posixpath.normpath(other), ""
        path = posixpath.normpath(written)
        if path in self._there:
            return path, ""
        full = os.path.normpath(self.folder.absolute() / written)
        absolute = posixpath.isabs(path) or Path(written).is_absolute() or path[1:3] == ":/"
        inside = self._below(full)
        if inside is not None and is_file(self.folder / inside):
            if absolute:
                self._count("absolute")
            return inside, ""
        outside = absolute or path.startswith("../")
        for how, candidate in self._others(path, outside):
            if candidate is not None:
                self._count(how)
                return candidate, ""
        for how, candidate in (pair for one in also for pair in self._others(one, False)):
            if candidate is not None:
                self._count(how)
                return candidate, ""
        return None, _OUTSIDE if outside else ""

    def say(self, table: str) -> list[str]:
        """A sentence for each other means by which pictures were found."""
        return [
            f"{plural(count, 'row')} of {table} {'names' if count == 1 else 'name'} {_HOW[how]}."
            for how, count in self.found.items()
        ]

    def _others(self, path: str, outside: bool) -> Iterable[tuple[str, str | None]]:
        if outside:
            parts = [part for part in path.split("/") if part not in ("", "..")]
            tails = ("/".join(parts[start:]) for start in range(len(parts)))
            yield "moved", next((tail for tail in tails if tail in self._there), None)
            return
        yield "spelled", self._spelled.get(_key(path))
        if "/" not in path:
            yield "elsewhere", self._names.get(_key(path))
            yield "ending", self._stems.get(_key(path))

    def _below(self, full: str) -> str | None:
        for top in (os.path.normpath(self.folder.absolute()), os.path.realpath(self.folder)):
            if full.startswith(f"{top}{os.sep}"):
                return full[len(top) + 1 :].replace(os.sep, "/")
        return None

    def _count(self, how: str) -> None:
        self.found[how] = self.found.get(how, 0) + 1


def _index(paths: Iterable[str], part) -> dict[str, str]:  # type: ignore[no-untyped-def]
    """Paths by a part of them; parts of several paths are left out."""
    by_part: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_part[_key(part(path))].append(path)
    return {key: found[0] for key, found in by_part.items() if len(found) == 1}


def _key(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]
