"""A folder whose sub-folders are the labels, with or without `train/` and `val/` above them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from latentbloom.conditions import ANY, ConditionSpec
from latentbloom.data.listed.entries import EntryColumn
from latentbloom.data.listed.entry import Split
from latentbloom.data.listed.texts import TextColumn, Texts
from latentbloom.data.sources.base import Entry, FileSource, SetAside
from latentbloom.data.sources.folders.label_folders import (
    Below,
    LabelledPictures,
    VisibleNames,
)
from latentbloom.data.sources.folders.split_folders import Layout, doubled, find_layout
from latentbloom.data.sources.folders.unread import AN_ARCHIVE, refuse_run, say_unread
from latentbloom.data.sources.folders.walk import Found, find_pictures
from latentbloom.data.sources.labels.hold_out_share import choose_rows, say_share
from latentbloom.data.sources.labels.names import natural_key
from latentbloom.data.sources.labels.natural_order import natural_order
from latentbloom.data.sources.labels.values import factor_of_folders, read_values, readings
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import folder_name
from latentbloom.words import listed, plural, shortened

_LAYOUT = (
    "Put the pictures into sub-folders that are named after their labels "
    "(smiling/, not_smiling/), or add a labels.csv (file,smiling,...)."
)
_LOOSE = "it lies beside the label folders"


@dataclass
class _Parts:
    """The pictures by split, and what else is to be said.

    Arguments:
        train: Pictures to train on, or to take a share of.
        val: Pictures that are held out; None where no split says so.
        inner: For each of `train` its name from the split's folder on.
        set_aside: Pictures that are not used.
        notes: Sentences for the user.
        layout: Where the labels are, and why they are looked for there.
    """

    train: LabelledPictures
    val: LabelledPictures | None = None
    inner: TextColumn = field(default_factory=TextColumn)
    set_aside: list[SetAside] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    layout: str = ""


def open_folder(
    folder: Path,
    *,
    name: str,
    seed: int = 0,
    val_share: float = 0.1,
    as_written: bool = False,
) -> FileSource:
    """List the pictures of a labelled folder.

    Arguments:
        folder: Has a sub-folder a label, or `train/` (and `val/`) that have them.
        name: What the user called it.
        seed: Decides which pictures are held out.
        val_share: Share of each label to hold out if there is no `val/`.
        as_written: Take the folders' names as they are written; see `read_values`.

    Raises:
        SourceError: No pictures, no labels, or one label only; or it is a run of this program.
    """
    refuse_run(folder, name)
    found = find_pictures(folder)
    parts = _parts(found, name)
    if not parts.train:
        raise SourceError(_nothing_found(name, found))
    parent = folder_name(folder)
    _drop_unknown_labels(parts, as_written)
    val = LabelledPictures(found.pictures.names) if parts.val is None else parts.val
    counts, held = parts.train.counts(), val.counts()
    words = {**dict.fromkeys(held, 0), **counts}
    factor, indices = factor_of_folders(words, parent=parent, as_written=as_written)
    known = {indices[label] for label in counts} - {factor.null_index}
    if len(known) < 2:
        label = factor.word(min(known, default=factor.null_index))
        raise SourceError(_one_label(folder, name, parts, label))

    held_out = np.zeros(len(parts.train), bool)
    if not val:
        inner = parts.inner.texts()
        rows = choose_rows(inner, parts.train.mapped(indices).tolist(), share=val_share, seed=seed)
        held_out[rows] = True
        why = "No val/ folder" if parts.val is None else "val/ has no picture that can be used"
        parts.notes.append(f"{why}: {say_share(len(rows), len(inner))}.")
    rows = np.concatenate([parts.train.rows, val.rows])
    labels = np.concatenate([parts.train.mapped(indices), val.mapped(indices)])
    held_out = np.concatenate([held_out, np.ones(len(val), bool)])
    names = found.pictures.names
    order = natural_order(VisibleNames(names, rows))
    entries = EntryColumn()
    for k in range(len(rows)) if order is None else order.tolist():
        path = names[int(rows[k])]
        split: Split = "val" if held_out[k] else "train"
        entries.append(Entry(path, (int(labels[k]),), split, folder / path))
    return FileSource(
        name=name,
        spec=ConditionSpec((factor,)),
        entries=entries.entries(),
        notes=tuple(parts.notes),
        set_aside=tuple(parts.set_aside),
        readings=readings(factor, indices, counts + held),
        layout=parts.layout,
    )


def _parts(found: Found, name: str) -> _Parts:
    """Sort the pictures into splits and labels."""
    names = found.pictures.names
    children: dict[str, Below] = {}
    parts = _Parts(LabelledPictures(names), set_aside=list(found.set_aside))
    for row, path in enumerate(names):
        child, below, _ = path.partition("/")
        if not below:
            parts.set_aside.append(SetAside(path, _LOOSE))
        else:
            children.setdefault(child, Below(names)).add(row)
    layout = find_layout(children, name)
    parts.notes += layout.notes
    parts.layout = _said(layout)
    if layout.train:
        _fill(parts, children, layout, names)
    else:
        for child, below in children.items():
            for row, _ in below.numbered():
                parts.train.add(row, child)
        for path in parts.train.names():
            parts.inner.append(path)
    parts.set_aside += [SetAside(f"{one.name}/", one.reason) for one in found.unread]
    parts.notes += say_unread(found.unread)
    parts.notes += _empty(found, layout)
    return parts


def _said(layout: Layout) -> str:
    """Which folders are labels, and why."""
    why = "because there is no file of labels"
    if not layout.train:
        return f"labelled folders, {why}: each sub-folder is a label"
    splits = listed([f"{child}/" for child in (*layout.train, *layout.val)])
    return f"labelled folders in {splits}, {why} and those are names of splits"


def _fill(parts: _Parts, children: Mapping[str, Below], layout: Layout, names: Texts) -> None:
    """The labels of splits are one level, or two, further down."""
    if layout.val:
        parts.val = LabelledPictures(names)
    for child in (*layout.train, *layout.val):
        below = children[child]
        level = 1 if doubled(below, child) else 0
        labelled = parts.train if child in layout.train else parts.val
        assert labelled is not None
        for row, rest in below.numbered():
            if len(rest) - level < 2:
                parts.set_aside.append(SetAside(names[row], _LOOSE))
                continue
            labelled.add(row, rest[level])
            if child in layout.train:
                one = len(layout.train) == 1
                parts.inner.append("/".join(rest[level:]) if one else names[row])


def _drop_unknown_labels(parts: _Parts, as_written: bool) -> None:
    """Set held-out pictures aside whose label no picture to train on has."""
    if parts.val is None:
        return
    trained = parts.train.counts()
    means = read_values({**dict.fromkeys(parts.val.counts(), 0), **trained}, as_written=as_written)
    known = {means[label] for label in trained} | {ANY}
    folder = parts.train[0].path.parts[0]
    for picture in parts.val.those(lambda label: means[label] not in known):
        reason = f"its label '{picture.label}' does not occur in {folder}/"
        parts.set_aside.append(SetAside(picture.path.as_posix(), reason))
    parts.val = parts.val.those(lambda label: means[label] in known)


def _empty(found: Found, layout: Layout) -> list[str]:
    """Sentences about label folders without pictures, unless something in them is not read."""
    above = {PurePosixPath(child) for child in (*layout.train, *layout.val)} or {PurePosixPath()}
    holders = {name.rpartition("/")[0] for name in found.pictures.names}
    filled = {parent for holder in holders for parent in PurePosixPath(holder, "x").parents}
    filled |= {parent for one in found.unread for parent in PurePosixPath(one.name).parents}
    empty = [
        f"{folder}/"
        for folder in found.folders
        if folder.parent in above and folder not in (*above, *filled)
    ]
    if not empty:
        return []
    verb = "holds no pictures and is" if len(empty) == 1 else "hold no pictures and are"
    return [f"{shortened(empty)} {verb} not used."]


def _nothing_found(name: str, found: Found) -> str:
    if found.pictures:
        return (
            f"'{name}' holds {plural(len(found.pictures), 'picture')} but no label folders, so "
            f"what they show is unknown. {_LAYOUT}"
        )
    others = len(found.set_aside)
    seen = plural(others, "other file") if others else "nothing"
    unread = "".join(f" {said}" for said in say_unread(found.unread))
    packed = [one.name for one in found.set_aside if one.reason == AN_ARCHIVE]
    inside = f" {shortened(packed)}: {AN_ARCHIVE}." if packed else ""
    return (
        f"'{name}' holds no pictures: {seen} was found in it and below.{inside}{unread} {_LAYOUT}"
    )


def _one_label(folder: Path, name: str, parts: _Parts, label: str) -> str:
    one = parts.train[0]
    only = PurePosixPath(*one.path.parts[: one.path.parts.index(one.label) + 1])
    depth = len(only.parts)
    below = {p.path.parts[depth] for p in parts.train if len(p.path.parts) > depth + 1}
    message = (
        f"'{name}' has one label only, '{label}'. Two or more are needed, because a model that is "
        "asked for a label must know another one."
    )
    if len(below) > 1:
        shown = ", ".join(sorted(below, key=natural_key)[:5]) + (", ..." if len(below) > 5 else "")
        return (
            f"{message} It holds the folders {shown}: if those are the labels, give "
            f"{folder / only}."
        )
    return f"{message} Put the pictures that do not show it into not_{label}/."
