"""What every foreign file must be: a regular file inside its folder, of a bounded size."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from latentbloom.storage.mounts import stat
from latentbloom.storage.user_files import odd_kind


class ForeignError(ValueError):
    """A file that is not read; the text is the end of a sentence whose subject is the file."""


def check_place(path: Path, folder: Path) -> None:
    """Refuse a link that leads out of a folder, and what is no file.

    Arguments:
        path: The file.
        folder: The folder that it must lie in; it may itself be reached through a link.

    Raises:
        ForeignError: It leads out of the folder, or is a pipe, a device or a folder.
    """
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise ForeignError(f"is a link that leads out of {folder}, and is not followed")
    if kind := odd_kind(path):
        raise ForeignError(f"is {kind}, not a file")


def check_bytes(path: Path, most: int) -> None:
    """Refuse a file that is too large to be what it should be.

    Raises:
        ForeignError: It is larger.
        OSError: It cannot be looked at.
    """
    size = stat(path).st_size
    if size > most:
        raise ForeignError(f"has {size:,} bytes, and at most {most:,} are read")


def check_name(name: str) -> None:
    """Refuse a name that means a file anywhere but directly in the folder that names it.

    Raises:
        ForeignError: It has `..`, a separator or a drive in it.
    """
    parts = (PurePosixPath(name), PureWindowsPath(name))
    if name in ("", ".", "..") or any(p.name != name or p.drive for p in parts) or "\0" in name:
        raise ForeignError(f"names {name!r}, which is no file directly in its folder")
