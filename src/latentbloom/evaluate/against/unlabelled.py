"""A folder of pictures without labels: enough for a distance."""

from __future__ import annotations

import os
from pathlib import Path

from latentbloom.conditions import ConditionSpec
from latentbloom.data.reading import is_picture_name
from latentbloom.data.sources.base import Entry, FileSource
from latentbloom.data.sources.labels.names import natural_key


def open_unlabelled(folder: Path, *, name: str) -> FileSource:
    """List the pictures of a folder, at any depth. Hidden files and folders are left out.

    Arguments:
        folder: The folder.
        name: What the user called it.

    Returns:
        A source without factors, all of its pictures held out.
    """
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith((".", "@", "$", "__MACOSX"))]
        found += [
            Path(here, file)
            for file in files
            if is_picture_name(file) and not file.startswith(".") and Path(here, file).is_file()
        ]
    entries = [Entry(path.relative_to(folder).as_posix(), (), "val", path) for path in found]
    ordered = tuple(sorted(entries, key=lambda entry: natural_key(entry.name)))
    return FileSource(name=name, spec=ConditionSpec(()), entries=ordered)
