"""The files below a folder: pictures, other files, and folders that are not read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from latentbloom.data.listed.paths import Paths
from latentbloom.data.reading import is_picture_name
from latentbloom.data.sources.base import SetAside
from latentbloom.data.sources.folders.unread import (
    SHUT,
    Unread,
    why_no_picture,
    why_unread,
    why_unread_inside,
)
from latentbloom.storage.mounts import Member, list_folder
from latentbloom.storage.user_files import odd_kind


@dataclass
class Found:
    """What lies below a folder, at any depth. Paths are relative to it.

    Arguments:
        pictures: Files that are called like pictures.
        set_aside: Other files, and why they are not used.
        folders: Folders that were read.
        unread: Folders that were not, and why.
    """

    pictures: Paths = field(default_factory=Paths)
    set_aside: list[SetAside] = field(default_factory=list)
    folders: list[PurePosixPath] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def find_pictures(top: Path) -> Found:
    """List a folder and all that is below it, without opening a file.

    Linked folders are followed, each real folder once. Only regular files and links to them are
    pictures: opening a pipe or a device would wait for ever.
    """
    found = Found()
    visited: set[str] = set()
    waiting = [PurePosixPath()]
    while waiting:
        here = waiting.pop()
        real = os.path.realpath(top / here)
        if real in visited:
            continue
        visited.add(real)
        try:
            children = list_folder(top / here)
        except OSError:
            if not here.parts:
                raise
            found.unread.append(Unread(here.as_posix(), SHUT))
            continue
        files = {child.name for child in children}
        if here.parts:
            why = why_unread_inside(top / here, files)
            if why is not None:
                found.unread.append(Unread(here.as_posix(), why))
                continue
            found.folders.append(here)
        waiting += reversed(
            [path for child in children if (path := _sort(child, here, top, found))]
        )
    return found


def _sort(
    child: os.DirEntry[str] | Member, here: PurePosixPath, top: Path, found: Found
) -> PurePosixPath | None:
    """Put a file where it belongs; the path of a folder that is to be read."""
    path = here / child.name
    try:
        folder, file = child.is_dir(), child.is_file()
    except OSError:
        folder = file = False
    if folder:
        why = why_unread(top / path)
        if why is None:
            return path
        found.unread.append(Unread(path.as_posix(), why))
    elif not is_picture_name(child.name) or child.name.startswith("."):
        found.set_aside.append(SetAside(path.as_posix(), why_no_picture(child.name)))
    elif file:
        found.pictures.append(path)
    else:
        kind = odd_kind(top / path)
        reason = f"it is {kind}, not a file" if kind else "there is no file behind its link"
        found.set_aside.append(SetAside(path.as_posix(), reason))
    return None
