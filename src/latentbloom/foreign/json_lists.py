"""JSON with very long lists, written and read a few lines at a time.

The file is one object, such as `{"factors": ..., "pictures": [...], "files": [...]}`. What stands
before the lists is in its first line, and each element of a list has a line. A list of a million
pictures is 200 MB.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from latentbloom.foreign.bounds import ForeignError, check_place
from latentbloom.foreign.json_files import parse_json, read_json

_CLOSE = "]}\n"
_LINES = 1000
_LONGEST = 1 << 24
"""Characters of a line that are read at most."""


def write_lists(path: Path, head: dict[str, Any], lists: Mapping[str, Iterable[list[Any]]]) -> None:
    """Write an object with lists. Call this through `write_atomic`.

    Arguments:
        path: Its file.
        head: What stands before the lists; not empty.
        lists: Each list by its name.
    """
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(json.dumps(head)[:-1])
        for place, (name, rows) in enumerate(lists.items()):
            file.write(_between(name) if place else f", {_opening(name)}")
            between = ""
            for row in rows:
                file.write(between + json.dumps(row, ensure_ascii=False))
                between = ",\n"
            file.write("\n")
        file.write(_CLOSE)


def read_lists(path: Path, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """What stands in an object with lists: "head" once, then each list's name with each element.

    A file with other lines than `write_lists` makes is read as a whole. The last lists may be
    missing, as in files of earlier versions.

    Arguments:
        path: Its file.
        names: Names of its lists, in order.

    Raises:
        ValueError: It is no JSON of that form.
        OSError: It is missing or cannot be read.
    """
    check_place(path, path.parent)
    with path.open(encoding="utf-8-sig") as file:
        first = file.readline(_LONGEST)
        if first.endswith(_opening(names[0])):
            yield "head", parse_json(f"{first.removesuffix(_opening(names[0])).rstrip(', ')}}}")
            for name, then in zip(names, [*map(_between, names[1:]), _CLOSE], strict=True):
                if (yield from _rows(file, name, then)) == _CLOSE:
                    return
    data = read_json(path, folder=path.parent)
    yield "head", data
    for name in names:
        yield from ((name, row) for row in data.get(name, []))


def _opening(name: str) -> str:
    return f'"{name}": [\n'


def _between(name: str) -> str:
    return f"], {_opening(name)}"


def _rows(file: IO[str], name: str, then: str) -> Generator[tuple[str, Any], None, str]:
    """The elements of a list, with its name; returns the line that ended it."""
    ends = (then, _CLOSE)
    while True:
        lines: list[str] = []
        line = file.readline(_LONGEST)
        while line not in ("", *ends) and len(lines) < _LINES:
            lines.append(line)
            line = file.readline(_LONGEST)
        if line == "":
            raise ForeignError("is cut short")
        if line not in ends:
            lines.append(line)
        content = "".join(lines).rstrip("\n")
        rows = parse_json(f"[{content if line in ends else content.rstrip(',')}]")
        yield from ((name, row) for row in rows)
        if line in ends:
            return line
