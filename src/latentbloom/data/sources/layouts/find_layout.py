"""Which layout of labels a folder or a file has, by what its files hold."""

from __future__ import annotations

from pathlib import Path

from latentbloom.data.sources.folders.split_folders import split_word
from latentbloom.data.sources.layouts import coco, cvat, label_studio, stylegan, yolo
from latentbloom.data.sources.layouts.columnar import columns_of
from latentbloom.data.sources.layouts.hugging_face import (
    find_metadata,
    found_metadata,
    is_metadata,
)
from latentbloom.data.sources.layouts.label_rows import json_of, merged
from latentbloom.data.sources.layouts.one_hot import one_hot_table
from latentbloom.data.sources.layouts.row_files import find_saved, found_parquet
from latentbloom.data.sources.tables.find_table import (
    TABLE,
    FoundTable,
    find_table,
    visible_files,
)
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import is_file, list_folder
from latentbloom.storage.user_files import open_file, reason
from latentbloom.words import listed

_MOST_FILES = 20
"""In a folder with more JSON or XML files than this, each describes one picture."""

_NOT_LABELS = frozenset(("config.json", "package.json", "dataset_infos.json", "info.json"))
_CALLED_LABELS = frozenset(("dataset.json", "labels.json", "annotations.json", coco.ROBOFLOW))
_ONE_HOT = "_classes.csv"


def find_labels(folder: Path) -> FoundTable | None:
    """The labels of a folder that are not the names of its sub-folders; None if there are none.

    Raises:
        SourceError: Files are of a known layout and cannot be used.
    """
    if is_file(folder / TABLE):
        return find_table(folder)
    return (
        find_metadata(folder)
        or find_table(folder)
        or find_saved(folder)
        or _json(folder)
        or _csv(folder)
        or _xml(folder)
        or _one_hot(folder)
        or yolo.found_yolo(folder)
    )


def labels_of_file(path: Path) -> FoundTable | None:
    """The labels in a file that is the source itself; None if it is of no known layout.

    Raises:
        SourceError: It is of a known layout and cannot be used.
    """
    ending = path.suffix.casefold()
    if is_metadata(path):
        return found_metadata(path)
    if ending == ".parquet":
        try:
            with_names = not columns_of(path).picture_columns()
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {reason(error)}.") from error
        return found_metadata(path) if with_names and _names_files(path) else found_parquet(path)
    if ending == ".json":
        return _of_tree(path, json_of(path))
    if ending == ".xml":
        return cvat.found_cvat(path)
    return label_studio.found_csv(path) if ending == ".csv" else None


def _names_files(path: Path) -> bool:
    return "file_name" in columns_of(path).names


def _of_tree(path: Path, tree: object) -> FoundTable | None:
    if coco.is_coco(tree):
        return coco.found_coco(path.parent, {path.name: tree})
    return label_studio.found_json_min(path, tree) or stylegan.found_stylegan(path, tree)


def _json(folder: Path) -> FoundTable | None:
    """StyleGAN's, Label Studio's or COCO's JSON, in the folder, in annotations/ or in splits."""
    names = [f for f in visible_files(folder) if f.endswith(".json") and f not in _NOT_LABELS]
    below = [child.name for child in list_folder(folder) if child.is_dir()]
    for place in below:
        if place.casefold() in ("annotations", "labels"):
            inside = visible_files(folder / place)
            names += [f"{place}/{name}" for name in inside if name.endswith(".json")]
        elif split_word(place) and is_file(folder / place / coco.ROBOFLOW):
            names.append(f"{place}/{coco.ROBOFLOW}")
    if len(names) > _MOST_FILES:
        return None
    trees = {name: tree for name in names if (tree := _tree(folder, name)) is not None}
    found = coco.found_coco(folder, trees)
    if found is not None:
        return found
    others = [one for name, tree in trees.items() if (one := _of_tree(folder / name, tree))]
    return _only(folder, others)


def _tree(folder: Path, name: str) -> object:
    """The content of a JSON file; None where it is broken and is not called like labels.

    Raises:
        SourceError: It is called like labels, and is broken.
    """
    try:
        return json_of(folder / name)
    except SourceError:
        if ("/" in name or name in _CALLED_LABELS) and _begins_as_json(folder / name):
            raise
        return None


def _begins_as_json(path: Path) -> bool:
    try:
        with open_file(path) as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
    except OSError:
        return False


def _csv(folder: Path) -> FoundTable | None:
    names = [name for name in visible_files(folder) if name.casefold().endswith(".csv")]
    if len(names) > _MOST_FILES:
        return None
    return _only(folder, [one for n in names if (one := label_studio.found_csv(folder / n))])


def _xml(folder: Path) -> FoundTable | None:
    names = [name for name in visible_files(folder) if name.casefold().endswith(".xml")]
    if len(names) > _MOST_FILES:
        return None
    return _only(folder, [one for name in names if (one := cvat.found_cvat(folder / name))])


def _only(folder: Path, found: list[FoundTable]) -> FoundTable | None:
    """The only file of labels.

    Raises:
        SourceError: There are several.
    """
    if len(found) > 1:
        names = listed([one.path.name for one in found])
        raise SourceError(
            f"{folder} holds several files of labels: {names}. Give the one to use as the source."
        )
    return found[0] if found else None


def _one_hot(folder: Path) -> FoundTable | None:
    """Roboflow's _classes.csv: a column a class, 1 where the picture shows it."""
    splits = {
        f"{child.name}/": folder / child.name / _ONE_HOT
        for child in list_folder(folder)
        if child.is_dir() and split_word(child.name) and is_file(folder / child.name / _ONE_HOT)
    }
    if is_file(folder / _ONE_HOT):
        path = folder / _ONE_HOT
        layout = f"a column a class, because there is {_ONE_HOT}"
        return FoundTable(path, layout=layout, read=lambda: one_hot_table(path))
    if not splits:
        return None
    names = tuple(f"{place}{_ONE_HOT}" for place in splits)
    return FoundTable(
        folder / names[0],
        layout=f"a column a class, because there is {names[0]}",
        folder=folder,
        read=lambda: merged(
            {place: one_hot_table(path) for place, path in splits.items()},
            {place: split_word(place[:-1]) or "" for place in splits},
        ),
        files=names,
    )
