"""COCO's JSON: pictures, categories, and annotations that join them; one file or one a split."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from latentbloom.data.sources.folders.split_folders import TRAIN, split_word
from latentbloom.data.sources.layouts.label_rows import Labelled, to_table, word
from latentbloom.data.sources.tables.find_table import FoundTable
from latentbloom.data.sources.tables.table_file import Table
from latentbloom.errors import SourceError
from latentbloom.words import plural

_KEYS = frozenset(("images", "annotations", "categories"))
ROBOFLOW = "_annotations.coco.json"


def is_coco(tree: object) -> bool:
    """Whether JSON is COCO's."""
    return isinstance(tree, dict) and tree.keys() >= _KEYS


def found_coco(folder: Path, files: Mapping[str, object]) -> FoundTable | None:
    """COCO's files of a folder.

    Arguments:
        folder: The pictures lie below it.
        files: By name below the folder, the content of JSON files; those that are COCO's count.
    """
    files = {name: tree for name, tree in files.items() if is_coco(tree)}
    if not files:
        return None
    # Of "instances_train2017" and "captions_train2017", the one whose annotations have categories.
    labelled = {name: tree for name, tree in files.items() if _has_categories(tree)}
    files = labelled or files
    splits = {name: _split(name) for name in files}
    known = {name: split for name, split in splits.items() if split}
    chosen = known if TRAIN in known.values() else dict([next(iter(splits.items()))])
    names = list(chosen)
    shown = names[0] if len(names) == 1 else f"{names[0]} and {names[1]}"
    verb = "has" if len(names) == 1 else "have"
    notes = tuple(f"{name} is not used." for name in files if name not in chosen)
    return FoundTable(
        folder / names[0],
        notes,
        f"COCO's layout, because {shown} {verb} images, annotations and categories",
        folder=folder,
        read=lambda: _read(folder, {name: files[name] for name in chosen}, chosen),
        files=tuple(names),
    )


def _read(folder: Path, files: Mapping[str, object], splits: Mapping[str, str]) -> Table:
    tables = {name: _rows(folder / name, name, tree) for name, tree in files.items()}
    every = [row for rows in tables.values() for row in rows]
    if len(tables) > 1:
        for name, rows in tables.items():
            for row in rows:
                row.split = splits[name]
    return to_table(folder / next(iter(files)), every)


def _rows(path: Path, name: str, tree: object) -> list[Labelled]:
    assert isinstance(tree, dict)
    categories = {
        _get(one, "id", path): word(_get(one, "name", path))
        for one in _list(tree, "categories", path)
    }
    labels: dict[object, dict[str, None]] = {}
    for one in _list(tree, "annotations", path):
        category = one.get("category_id")
        if category is not None:
            if category not in categories:
                raise SourceError(f"{path}: an annotation has the unknown category {category!r}.")
            labels.setdefault(_get(one, "image_id", path), {})[categories[category]] = None
    folders = _folders(name)
    rows = []
    for place, one in enumerate(_list(tree, "images", path), 1):
        file = _get(one, "file_name", path)
        if not isinstance(file, str) or not file:
            raise SourceError(f"{path}: picture {place} has no file_name.")
        also = [f"{where}/{file}" for where in folders]
        found = list(labels.get(_get(one, "id", path), ()))
        rows.append(Labelled(file, place, labels=found, also=tuple(also)))
    if rows and not any(row.labels for row in rows):
        raise SourceError(
            f"{path} names {plural(len(rows), 'picture')}, but no annotation gives one a category."
        )
    return rows


def _has_categories(tree: object) -> bool:
    assert isinstance(tree, dict)
    annotations = tree["annotations"]
    first = annotations[:1] if isinstance(annotations, list) else []
    return any(isinstance(one, dict) and "category_id" in one for one in first)


def _list(tree: Mapping[str, object], key: str, path: Path) -> list[dict[str, object]]:
    found = tree[key]
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise SourceError(f"{path}: `{key}` is no list of objects, as COCO has it.")
    return found


def _get(one: Mapping[str, object], key: str, path: Path) -> str | int:
    value = one.get(key)
    if not isinstance(value, str | int):
        raise SourceError(f"{path}: {str(one)[:60]} has no `{key}`, as COCO has it.")
    return value


def _split(name: str) -> str:
    """The split that a file's name, or its folder, ends in: instances_train2017.json."""
    folder, _, last = name.rpartition("/")
    if last == ROBOFLOW:
        return split_word(folder.rpartition("/")[2]) or ""
    return next((found for part in _parts(last) if (found := split_word(part))), "")


def _parts(last: str) -> list[str]:
    """From instances_train2017.json to ["train", "instances"]."""
    return [re.sub(r"\d+$", "", p) for p in re.split(r"[_\-.]", last.removesuffix(".json"))[::-1]]


def _folders(name: str) -> list[str]:
    """Folders in which the pictures of a file may lie."""
    folder, _, last = name.rpartition("/")
    if last == ROBOFLOW:
        return [folder, f"{folder}/images"] if folder else ["images"]
    words = dict.fromkeys((last.removesuffix(".json").rpartition("_")[2], _split(name)))
    places = [place for word in words if word for place in (word, f"images/{word}")]
    return [*places, "images", *((folder,) if folder else ())]
