"""A folder of pictures without labels: enough for a distance."""

from __future__ import annotations

from pathlib import Path

from latentbloom.conditions import ConditionSpec
from latentbloom.data.sources.base import Entry, FileSource
from latentbloom.data.sources.folders.walk import find_pictures
from latentbloom.data.sources.labels.names import natural_key


def open_unlabelled(folder: Path, *, name: str) -> FileSource:
    """List the pictures of a folder, at any depth, without hidden ones, system folders and runs.

    Arguments:
        folder: The folder.
        name: What the user called it.

    Returns:
        A source without factors, all of its pictures held out.
    """
    paths = find_pictures(folder).pictures
    entries = [Entry(path.as_posix(), (), "val", folder / path) for path in paths]
    ordered = tuple(sorted(entries, key=lambda entry: natural_key(entry.name)))
    return FileSource(name=name, spec=ConditionSpec(()), entries=ordered)
