"""A folder whose sub-folders are the labels, with or without `train/` and `val/` above them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from latentbloom.conditions import ConditionSpec
from latentbloom.data.reading import is_picture_name
from latentbloom.data.sources.base import Entry, FileSource, SetAside, Split
from latentbloom.data.sources.labels import (
    VAL_NAMES,
    choose_val,
    factor_of_folders,
    natural_key,
)
from latentbloom.errors import SourceError

_LAYOUT = (
    "Put the pictures into sub-folders that are named after their labels "
    "(smiling/, not_smiling/), or add a labels.csv (file,smiling,...)."
)


@dataclass
class _Findings:
    """What else is in the folder."""

    notes: list[str] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)


def open_folder(folder: Path, *, name: str, seed: int = 0, val_share: float = 0.1) -> FileSource:
    """List the pictures of a labelled folder.

    Arguments:
        folder: Has a sub-folder a label, or `train/` (and `val/`) that have them.
        name: What the user called it.
        seed: Decides which pictures are held out.
        val_share: Share of each label to hold out if there is no `val/`.

    Raises:
        SourceError: No pictures, no labels, or one label only.
    """
    found = _Findings()
    train, val = _splits(folder, found)
    labelled = _labels(train, folder, found)
    names = sorted(labelled, key=natural_key)
    if not names:
        raise SourceError(_nothing_found(name, train, found))
    if len(names) == 1:
        raise SourceError(_one_label(name, train / names[0], names[0]))
    factor, indices = factor_of_folders(names, parent=folder.resolve().name)

    pictures: list[tuple[str, int, Path]] = [
        (path.relative_to(folder).as_posix(), indices[label], path)
        for label in names
        for path in labelled[label]
    ]
    splits: dict[str, Split] = {picture: "train" for picture, _, _ in pictures}
    if val is not None:
        for label, paths in _labels(val, folder, found).items():
            relative = [path.relative_to(folder).as_posix() for path in paths]
            if label not in indices:
                reason = f"its label '{label}' does not occur in {train.name}/"
                found.set_aside += [SetAside(picture, reason) for picture in relative]
                continue
            for picture, path in zip(relative, paths, strict=True):
                pictures.append((picture, indices[label], path))
                splits[picture] = "val"
    if "val" not in splits.values():
        inner = [path.relative_to(train).as_posix() for label in names for path in labelled[label]]
        strata = [label for label in names for _ in labelled[label]]
        kept = choose_val(inner, strata, share=val_share, seed=seed)
        splits.update(
            (picture, "val")
            for (picture, _, _), key in zip(pictures, inner, strict=True)
            if key in kept
        )
        found.notes.append(
            f"No val/ folder: {len(kept):,} of {len(inner):,} pictures are held out, "
            "chosen by a hash of their names."
        )
    entries = sorted(
        (Entry(picture, (index,), splits[picture], path) for picture, index, path in pictures),
        key=lambda entry: natural_key(entry.name),
    )
    return FileSource(
        name=name,
        spec=ConditionSpec((factor,)),
        entries=tuple(entries),
        notes=tuple(found.notes),
        set_aside=tuple(found.set_aside),
    )


def _splits(folder: Path, found: _Findings) -> tuple[Path, Path | None]:
    """The folders that hold the labels to train on and, if there is one, to validate on."""
    children = {child.name.casefold(): child for child in _sub_folders(folder)}
    train = children.get("train") or children.get("training")
    if train is None:
        return folder, None
    candidates = [children[word] for word in VAL_NAMES if word in children]
    for child in children.values():
        if child != train and child not in candidates[:1]:
            found.notes.append(f"{child.name}/ lies beside {train.name}/ and is not used.")
    if not candidates:
        return train, None
    if candidates[0].name != "val":
        found.notes.append(f"There is no val/: {candidates[0].name}/ is used in its place.")
    return train, candidates[0]


def _labels(top: Path, root: Path, found: _Findings) -> dict[str, list[Path]]:
    """The pictures below each label folder; empty label folders are left out with a note."""
    for child in sorted(top.iterdir()):
        if child.is_file():
            reason = "it lies beside the label folders" if is_picture_name(child.name) else None
            _set_aside(child, root, found, reason)
    labelled: dict[str, list[Path]] = {}
    for child in _sub_folders(top):
        paths = []
        for path in _files_below(child):
            if is_picture_name(path.name) and not _is_hidden(path.name):
                paths.append(path)
            else:
                _set_aside(path, root, found)
        if paths:
            labelled[child.name] = paths
        else:
            found.notes.append(
                f"{child.relative_to(root).as_posix()}/ holds no pictures and is not used."
            )
    return labelled


def _set_aside(path: Path, root: Path, found: _Findings, reason: str | None = None) -> None:
    reason = "it is hidden" if _is_hidden(path.name) else reason or "it is not a picture"
    found.set_aside.append(SetAside(path.relative_to(root).as_posix(), reason))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _sub_folders(folder: Path) -> list[Path]:
    children = (c for c in folder.iterdir() if c.is_dir() and not _is_hidden(c.name))
    return sorted(children, key=lambda child: natural_key(child.name))


def _files_below(folder: Path) -> Iterator[Path]:
    """Every file at any depth; linked folders are followed, each real folder once."""
    visited: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(f for f in folders if not _is_hidden(f))
        for file in sorted(files):
            yield Path(here, file)


def _nothing_found(name: str, top: Path, found: _Findings) -> str:
    loose = sum(is_picture_name(child.name) for child in top.iterdir() if child.is_file())
    if loose:
        return (
            f"'{name}' holds {loose:,} pictures but no label folders, so what they show is "
            f"unknown. {_LAYOUT}"
        )
    others = len(found.set_aside)
    seen = f"{others:,} other file{'s' if others != 1 else ''}" if others else "nothing"
    return f"'{name}' holds no pictures: {seen} was found in it and below. {_LAYOUT}"


def _one_label(name: str, only: Path, label: str) -> str:
    below = [child.name for child in _sub_folders(only)]
    message = (
        f"'{name}' has one label only, '{label}'. Two or more are needed, because a model that is "
        "asked for a label must know another one."
    )
    if len(below) > 1:
        shown = ", ".join(below[:5]) + (", ..." if len(below) > 5 else "")
        return f"{message} It holds the folders {shown}: if those are the labels, give {only}."
    return f"{message} Put the pictures that do not show it into not_{label}/."
