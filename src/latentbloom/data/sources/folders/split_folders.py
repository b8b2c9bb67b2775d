"""Which sub-folders are splits, such as train/ and val/, and which are labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latentbloom.data.sources.labels.names import composed
from latentbloom.errors import SourceError
from latentbloom.words import listed, shortened, spelling_key

TRAIN = "train"
VAL_NAMES = ("val", "valid", "validation", "dev", "eval", "test")
"""Names of the split that is held out, the best first."""

_SAME = {
    "training": TRAIN,
    "trn": TRAIN,
    "validate": "validation",
    "evaluation": "eval",
    "testing": "test",
    "tst": "test",
}
_BESIDE = frozenset(
    (
        *("data", "dataset", "dir", "folder", "image", "images", "img", "imgs", "photos"),
        *("pictures", "samples", "seg", "set", "split"),
    )
)
"""Words beside the name of a split, as in test_set, Training Data or seg_train."""

Below = Sequence[tuple[str, ...]]
"""Pictures below a sub-folder: the parts of their paths from there."""


@dataclass(frozen=True)
class Layout:
    """How the sub-folders of a source are used.

    Arguments:
        train: Folders whose sub-folders are the labels to train on; none where the sub-folders of
            the source itself are labels.
        val: The same for the pictures that are held out.
        notes: What is not used, or used in another one's place.
    """

    train: tuple[str, ...] = ()
    val: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def split_word(name: str) -> str | None:
    """The split that a folder or a cell names: "train" or one of `VAL_NAMES`; None for neither."""
    words = [w for w in re.split(r"[\s_.\-]+", composed(name).casefold()) if w not in _BESIDE]
    if len(words) != 1:
        return None
    word = re.sub(r"(?<=.)(data|set)$", "", words[0])
    word = _SAME.get(word, word)
    return word if word in (TRAIN, *VAL_NAMES) else None


def find_layout(children: Mapping[str, Below], name: str) -> Layout:
    """Tell splits from labels.

    Sub-folders are splits when all of them are called like splits and one is the training split.
    Beside folders that are called otherwise, `train` is a label like them, unless a second split
    has the same labels as it, or it is the only one of two that has labels at all.

    Arguments:
        children: By name of the sub-folder the pictures below it; none is empty.
        name: What the user called the source.

    Raises:
        SourceError: There are splits to hold out but none to train on.
    """
    words = {child: word for child in children if (word := split_word(child)) is not None}
    train = [child for child, word in words.items() if word == TRAIN]
    held = [child for child, word in words.items() if word != TRAIN]
    others = [child for child in children if child not in words]
    if not train:
        _refuse_without_train(children, held, others, name)
        return Layout()
    if others and not _splits_beside_others(children, train, held, others):
        found = listed([f"{child}/" for child in words])
        verb = "is taken for a label" if len(words) == 1 else "are taken for labels"
        beside = shortened([f"{child}/" for child in others])
        return Layout(notes=(f"{found} {verb}, because {beside} beside it is no split.",))
    return _splits(train, held, others, words)


def _splits(
    train: list[str], held: list[str], others: list[str], words: Mapping[str, str]
) -> Layout:
    """The best named folder to train on and to hold out, with those that differ in case only."""
    train = _same_name(sorted(train, key=lambda child: spelling_key(child) != TRAIN))
    best = sorted(held, key=lambda child: VAL_NAMES.index(words[child]))
    val = _same_name(best)
    notes = []
    for used in (train, val):
        if len(used) > 1:
            notes.append(f"{listed([f'{child}/' for child in used])} are read as one split.")
    notes += [
        f"{child}/ lies beside {train[0]}/ and is not used."
        for child in (*words, *others)
        if child not in (*train, *val)
    ]
    if val and words[val[0]] != "val":
        notes.append(f"There is no val/: {val[0]}/ is used in its place.")
    return Layout(tuple(train), tuple(val), tuple(notes))


def _same_name(children: list[str]) -> list[str]:
    """The first, and those that differ from it in case only."""
    return [child for child in children if spelling_key(child) == spelling_key(children[0])]


def _splits_beside_others(
    children: Mapping[str, Below], train: list[str], held: list[str], others: list[str]
) -> bool:
    level = {child: int(doubled(below, child)) for child, below in children.items()}
    labels = {
        child: {spelling_key(parts[level[child]]) for parts in below if len(parts) > 1}
        for child, below in children.items()
    }
    if any(labels[one] & labels[other] for one in train for other in held):
        return True
    only = train[0]
    flat = not any(labels[other] for other in others)
    loose = any(len(parts) == 1 for parts in children[only])
    return len(children) == 2 and len(labels[only]) > 1 and not loose and flat


def _refuse_without_train(
    children: Mapping[str, Below], held: list[str], others: list[str], name: str
) -> None:
    if others or len(held) < 2:
        return
    if all(any(len(parts) > 1 for parts in children[child]) for child in held):
        found = listed([f"{child}/" for child in held])
        raise SourceError(
            f"'{name}' holds the splits {found}, but no train/. Call the folder of the pictures to "
            "train on train/, or give one of them alone to take a share of it as held out."
        )


def doubled(below: Below, folder: str) -> bool:
    """Whether all pictures lie in one more folder of the same name, as archives often have it."""
    key = spelling_key(folder)
    return all(len(parts) > 2 and spelling_key(parts[0]) == key for parts in below)
