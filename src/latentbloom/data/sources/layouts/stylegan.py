"""StyleGAN's dataset.json: a list `labels` of names of pictures, each with one or more labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latentbloom.data.sources.layouts.label_rows import Labelled, to_table, word
from latentbloom.data.sources.tables.find_table import FoundTable
from latentbloom.data.sources.tables.table_file import Table
from latentbloom.errors import SourceError

_HELP = 'It must be {"labels": [["folder/picture.png", 3], ...]}, as StyleGAN writes it.'


def found_stylegan(path: Path, tree: object) -> FoundTable | None:
    """A file like StyleGAN's; None if it holds something else, or no labels."""
    if not isinstance(tree, dict) or not tree.get("labels"):
        return None
    labels = tree["labels"]
    return FoundTable(
        path,
        layout=f"StyleGAN's layout, because {path.name} has a list `labels`",
        read=lambda: _read(path, labels),
    )


def _read(path: Path, labels: object) -> Table:
    pairs = list(labels.items()) if isinstance(labels, dict) else labels
    if not isinstance(pairs, list):
        raise SourceError(f"{path}: `labels` is no list. {_HELP}")
    rows, given = [], []
    for place, pair in enumerate(pairs, 1):
        fits = isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)
        if not fits or not pair[0]:
            raise SourceError(f"{path}: entry {place} of `labels` is {str(pair)[:60]!r}. {_HELP}")
        rows.append(Labelled(pair[0], place))
        given.append(pair[1])
    lists = [value for value in given if isinstance(value, list)]
    if not lists:
        for row, value in zip(rows, given, strict=True):
            row.cells["label"] = word(value)
        return to_table(path, rows)
    lengths = {len(value) for value in lists}
    if len(lengths) != 1 or len(lists) + given.count(None) < len(given):
        raise SourceError(
            f"{path}: some pictures have lists of {sorted(lengths)} labels, others have "
            f"{'one number' if len(lists) < len(given) else 'more'}. Give all the same. {_HELP}"
        )
    one_hot = lengths != {1} and all(map(_is_one_hot, lists))
    for row, value in zip(rows, given, strict=True):
        if one_hot:
            row.cells["label"] = "" if value is None else str(_values(value).index(1.0))
        elif value is not None:
            names = ["label"] if lengths == {1} else [f"label_{k}" for k in range(len(value))]
            row.cells |= dict(zip(names, map(word, value), strict=True))
    notes = ["Each list of labels has a single 1: its place is the label."] if one_hot else []
    return to_table(path, rows, notes=notes)


def _values(labels: Sequence[object]) -> list[float]:
    return [float(one) if isinstance(one, int | float) else -1.0 for one in labels]


def _is_one_hot(labels: Sequence[object]) -> bool:
    return sorted(_values(labels)) == [0.0] * (len(labels) - 1) + [1.0]
