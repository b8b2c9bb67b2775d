"""The single steps in which the program writes. Nothing in the package writes in another way.

Each step is announced before it is taken, so that tests can end the program, or let the step fail,
at every one of them. An error always carries the name of its file.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias

Step: TypeAlias = Literal["make", "write", "append", "sync", "rename", "remove"]
Watcher: TypeAlias = Callable[[Step, Path], None]

_watcher: Watcher | None = None


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Inside this context, call a function before each step. For tests.

    Arguments:
        watcher: Receives the step and the file or folder that it changes. What it raises is raised
            as if the step had failed.
    """
    global _watcher  # noqa: PLW0603 - the one state of this module
    before, _watcher = _watcher, watcher
    try:
        yield
    finally:
        _watcher = before


@contextmanager
def step(name: Step, path: Path) -> Iterator[None]:
    """Announce a step, and take it inside this context.

    Arguments:
        name: What is done.
        path: The file or folder that it is done to.

    Raises:
        OSError: As raised inside; it names `path` where it named no file.
    """
    try:
        if _watcher is not None:
            _watcher(name, path)
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are missing."""
    if not path.is_dir():
        with step("make", path):
            path.mkdir(parents=True, exist_ok=True)


def append(path: Path, text: str) -> None:
    """Add a whole text (UTF-8) to a file, or nothing: a part is taken back where that fails."""
    make_folder(path.parent)
    size = path.stat().st_size if path.exists() else 0
    try:
        with step("append", path), path.open("ab") as file:
            file.write(text.encode())
    except OSError:
        with suppress(OSError):
            os.truncate(path, size)
        raise


def reserve(path: Path, size: int) -> None:
    """Give a file its full size on the disk, keeping its beginning.

    Writing to a mapped file on a full disk kills the program; this fails with an error instead.
    """
    with step("write", path), path.open("r+b") as file:
        start = file.seek(0, os.SEEK_END)
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), start, size - start)
                return
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                    raise
        for place in range(start, size, 1 << 20):
            file.write(bytes(min(1 << 20, size - place)))


def rename(old: Path, new: Path) -> None:
    """Rename a file; on Windows retry, because a virus scanner may hold it for a moment."""
    with step("rename", new):
        for wait in (0.05, 0.2, 0.8) if os.name == "nt" else ():
            try:
                os.replace(old, new)
                return
            except PermissionError:
                time.sleep(wait)
        os.replace(old, new)


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder, and writes its renames in order
    with step("sync", path):
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    if path.exists() or path.is_symlink():
        with step("remove", path):
            path.unlink(missing_ok=True)


def remove_folder(path: Path) -> None:
    """Remove a folder and what is in it, if it is there."""
    if path.is_dir():
        with step("remove", path):
            shutil.rmtree(path)
