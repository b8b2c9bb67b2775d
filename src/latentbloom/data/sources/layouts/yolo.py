"""YOLO's text files: one a picture, each line begins with the number of a class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from latentbloom.data.sources.folders.split_folders import TRAIN, split_word
from latentbloom.data.sources.folders.walk import find_pictures
from latentbloom.data.sources.layouts.label_rows import Labelled, to_table, word
from latentbloom.data.sources.tables.find_table import FoundTable, visible_files
from latentbloom.data.sources.tables.table_file import Table
from latentbloom.errors import SourceError
from latentbloom.storage.user_files import open_file, read_text, reason
from latentbloom.words import plural, shortened

_NAMES = ("classes.txt", "obj.names", "_darknet.labels")
_MOST_BYTES = 1 << 22
_IMAGES, _LABELS = "images", "labels"


@dataclass(frozen=True)
class _Classes:
    """The names of the classes by number, and the file that they stand in."""

    path: Path
    names: dict[int, str]


def found_yolo(folder: Path) -> FoundTable | None:
    """A folder with names of classes and a text file a picture; None if it is none."""
    classes = _classes(folder)
    if classes is None:
        return None
    found = find_pictures(folder)
    texts = {one.name for one in found.set_aside if one.name.endswith(".txt")}
    pairs = {p: text for p in found.pictures if (text := _text_of(p, texts)) is not None}
    if not pairs:
        return None
    name = classes.path.name
    return FoundTable(
        classes.path,
        layout=f"YOLO's layout, because {name} names classes and {len(pairs):,} pictures have a "
        "text file of them",
        folder=folder,
        read=lambda: _read(folder, found.pictures, pairs, classes),
        files=(name, *dict.fromkeys(pairs.values())),
    )


def _text_of(picture: PurePosixPath, texts: set[str]) -> str | None:
    """The text file of a picture: images/a.jpg has labels/a.txt, or it lies beside it."""
    parts = list(picture.with_suffix(".txt").parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == _IMAGES:
            other = "/".join((*parts[:place], _LABELS, *parts[place + 1 :]))
            return other if other in texts else None
    beside = "/".join(parts)
    return beside if beside in texts else None


def _read(
    folder: Path,
    pictures: Sequence[PurePosixPath],
    pairs: dict[PurePosixPath, str],
    classes: _Classes,
) -> Table:
    rows = []
    broken = []
    splits = _splits(pairs)
    without = [path for path in pictures if path not in pairs]
    for place, (path, text) in enumerate(pairs.items(), 1):
        try:
            labels = _labels(folder / text, classes)
        except ValueError as error:
            broken.append(f"{text}: {error}")
            continue
        rows.append(Labelled(path.as_posix(), place, labels=labels, split=splits.get(path, "")))
    notes = []
    if broken:
        verb = "cannot be read and is" if len(broken) == 1 else "cannot be read and are"
        notes.append(f"{plural(len(broken), 'text file')} {verb} not used ({shortened(broken)}).")
    if without:
        notes.append(f"{plural(len(without), 'picture')} without a text file: not used.")
    if not rows:
        raise SourceError(f"{folder}: no text file of YOLO can be read. The first: {broken[0]}.")
    return to_table(classes.path, rows, unit="picture", notes=notes)


def _labels(path: Path, classes: _Classes) -> list[str]:
    """The classes of a picture; a ValueError says what is wrong with its file."""
    try:
        with open_file(path) as file:
            content = file.read(_MOST_BYTES)
        lines = content.decode("utf-8").splitlines()
    except OSError as error:
        raise ValueError(reason(error)) from error
    found: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        first = line.split()[:1]
        if not first:
            continue
        if not first[0].isdecimal() or int(first[0]) not in classes.names:
            raise ValueError(f"line {number} begins with '{first[0][:20]}', which is no class")
        found[classes.names[int(first[0])]] = None
    return list(found)


def _splits(pictures: Iterable[PurePosixPath]) -> dict[PurePosixPath, str]:
    """The split of each picture, where folders name one for all of them."""
    found = {
        path: next((w for part in path.parts[:-1] if (w := split_word(part))), "")
        for path in pictures
    }
    words = set(found.values())
    return found if TRAIN in words and len(words) > 1 and "" not in words else {}


def _classes(folder: Path) -> _Classes | None:
    names = visible_files(folder)
    for name in names:
        if name.endswith((".yaml", ".yml")):
            found = _from_yaml(folder / name)
            if found:
                return _Classes(folder / name, found)
    for name in _NAMES:
        if name in names:
            lines = [line.strip() for line in _text(folder / name).splitlines()]
            found = {number: line for number, line in enumerate(lines) if line}
            if found:
                return _Classes(folder / name, found)
    return None


def _from_yaml(path: Path) -> dict[int, str]:
    """`names` of a data.yaml: a list, or a mapping of numbers."""
    import yaml

    try:
        tree = yaml.safe_load(_text(path))
    except (yaml.YAMLError, RecursionError):
        return {}
    names = tree.get("names") if isinstance(tree, dict) else None
    pairs = names.items() if isinstance(names, dict) else enumerate(names or ())
    try:
        return {int(number): word(name) for number, name in pairs if word(name)}
    except (TypeError, ValueError):
        return {}


def _text(path: Path) -> str:
    try:
        with open_file(path) as file:
            if file.seek(0, 2) > _MOST_BYTES:
                return ""
        return read_text(path, errors="replace")
    except OSError:
        return ""
