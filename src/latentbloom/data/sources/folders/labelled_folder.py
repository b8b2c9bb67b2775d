"""A folder whose sub-folders are the labels, with or without `train/` and `val/` above them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from latentbloom.conditions import ANY, ConditionSpec
from latentbloom.data.sources.base import Entry, FileSource, SetAside, Split
from latentbloom.data.sources.folders.split_folders import Layout, doubled, find_layout
from latentbloom.data.sources.folders.unread import refuse_run, say_unread
from latentbloom.data.sources.folders.walk import Found, find_pictures
from latentbloom.data.sources.labels.hold_out_share import choose_val, say_share
from latentbloom.data.sources.labels.names import natural_key
from latentbloom.data.sources.labels.values import factor_of_folders, read_values, readings
from latentbloom.errors import SourceError
from latentbloom.words import plural, shortened

_LAYOUT = (
    "Put the pictures into sub-folders that are named after their labels "
    "(smiling/, not_smiling/), or add a labels.csv (file,smiling,...)."
)
_LOOSE = "it lies beside the label folders"


@dataclass(frozen=True)
class _Picture:
    """A picture, and the name of its label folder."""

    path: PurePosixPath
    label: str

    @property
    def name(self) -> str:
        return self.path.as_posix()


@dataclass
class _Parts:
    """The pictures by split, and what else is to be said.

    Arguments:
        train: Pictures to train on, or to take a share of.
        val: Pictures that are held out; None where no split says so.
        inner: For each of `train` its name from the split's folder on.
        set_aside: Pictures that are not used.
        notes: Sentences for the user.
    """

    train: list[_Picture] = field(default_factory=list)
    val: list[_Picture] | None = None
    inner: list[str] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
    parent = folder.resolve().name
    _drop_unknown_labels(parts, as_written)
    counts = Counter(picture.label for picture in parts.train)
    held = Counter(picture.label for picture in parts.val or ())
    words = {**dict.fromkeys(held, 0), **counts}
    factor, indices = factor_of_folders(words, parent=parent, as_written=as_written)
    known = {indices[label] for label in counts} - {factor.null_index}
    if len(known) < 2:
        label = factor.word(min(known, default=factor.null_index))
        raise SourceError(_one_label(folder, name, parts, label))

    splits: dict[str, Split] = {picture.name: "train" for picture in parts.train}
    splits.update((picture.name, "val") for picture in parts.val or ())
    if not parts.val:
        strata = [indices[picture.label] for picture in parts.train]
        kept = choose_val(parts.inner, strata, share=val_share, seed=seed)
        for picture, inner in zip(parts.train, parts.inner, strict=True):
            if inner in kept:
                splits[picture.name] = "val"
        why = "No val/ folder" if parts.val is None else "val/ has no picture that can be used"
        parts.notes.append(f"{why}: {say_share(len(kept), len(parts.inner))}.")
    entries = sorted(
        (
            Entry(p.name, (indices[p.label],), splits[p.name], folder / p.path)
            for p in (*parts.train, *(parts.val or ()))
        ),
        key=lambda entry: natural_key(entry.name),
    )
    return FileSource(
        name=name,
        spec=ConditionSpec((factor,)),
        entries=tuple(entries),
        notes=tuple(parts.notes),
        set_aside=tuple(parts.set_aside),
        readings=readings(factor, indices, counts + held),
    )


def _parts(found: Found, name: str) -> _Parts:
    """Sort the pictures into splits and labels."""
    children: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    parts = _Parts(set_aside=list(found.set_aside))
    for path in found.pictures:
        if len(path.parts) == 1:
            parts.set_aside.append(SetAside(path.as_posix(), _LOOSE))
        else:
            children[path.parts[0]].append(path.parts[1:])
    layout = find_layout(children, name)
    parts.notes += layout.notes
    if layout.train:
        _fill(parts, children, layout)
    else:
        for child, below in children.items():
            parts.train += [_Picture(PurePosixPath(child, *p), child) for p in below]
        parts.inner = [picture.name for picture in parts.train]
    parts.set_aside += [SetAside(f"{one.name}/", one.reason) for one in found.unread]
    parts.notes += say_unread(found.unread)
    parts.notes += _empty(found, layout)
    return parts


def _fill(parts: _Parts, children: Mapping[str, list[tuple[str, ...]]], layout: Layout) -> None:
    """The labels of splits are one level, or two, further down."""
    for child in (*layout.train, *layout.val):
        below = children[child]
        level = 1 if doubled(below, child) else 0
        labelled = []
        for rest in below:
            path = PurePosixPath(child, *rest)
            if len(rest) - level < 2:
                parts.set_aside.append(SetAside(path.as_posix(), _LOOSE))
                continue
            labelled.append(_Picture(path, rest[level]))
            if child in layout.train:
                inner = rest[level:] if len(layout.train) == 1 else path.parts
                parts.inner.append(PurePosixPath(*inner).as_posix())
        if child in layout.train:
            parts.train += labelled
        else:
            parts.val = [*(parts.val or ()), *labelled]


def _drop_unknown_labels(parts: _Parts, as_written: bool) -> None:
    """Set held-out pictures aside whose label no picture to train on has."""
    trained = Counter(picture.label for picture in parts.train)
    held = dict.fromkeys((picture.label for picture in parts.val or ()), 0)
    means = read_values({**held, **trained}, as_written=as_written)
    known = {means[label] for label in trained} | {ANY}
    folder = parts.train[0].path.parts[0]
    for picture in parts.val or ():
        if means[picture.label] not in known:
            reason = f"its label '{picture.label}' does not occur in {folder}/"
            parts.set_aside.append(SetAside(picture.name, reason))
    if parts.val is not None:
        parts.val = [picture for picture in parts.val if means[picture.label] in known]


def _empty(found: Found, layout: Layout) -> list[str]:
    """Sentences about label folders without pictures, unless something in them is not read."""
    above = {PurePosixPath(child) for child in (*layout.train, *layout.val)} or {PurePosixPath()}
    filled = {parent for path in found.pictures for parent in path.parents}
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
    return f"'{name}' holds no pictures: {seen} was found in it and below.{unread} {_LAYOUT}"


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
