"""Places inside a file: parts of it, and members of an archive, by paths that lead on through it.

`mount(Path("set.zip"), container)` makes `set.zip/train/cat/1.png` a path that the functions here
list and look at, and that `user_files.open_file` opens. The container keeps an index of its members
and opens its file anew for each read, so threads and processes may share it, and no file stays
open. What really lies on the disk always goes first.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class FilePart:
    """A run of bytes inside a file, such as one picture of a shard. It is opened like a file.

    Arguments:
        path: The file.
        start: Its first byte.
        size: How many bytes.
    """

    path: Path
    start: int
    size: int

    def __fspath__(self) -> str:
        """The file that it is a part of."""
        return str(self.path)

    def __str__(self) -> str:
        return f"{self.path} (byte {self.start:,})"

    def resolve(self) -> FilePart:
        """The same part, its file without links."""
        return FilePart(self.path.resolve(), self.start, self.size)


Place: TypeAlias = Path | FilePart
"""Where a picture is read from."""


class Container(Protocol):
    """What is mounted: an index of members, and a way to read one."""

    @property
    def title(self) -> str:
        """The name of the folder that it would be if it were unpacked."""
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of each member by its POSIX-relative name; 0 where that is not known."""
        ...

    @property
    def time(self) -> int:
        """When it changed last, in nanoseconds."""
        ...

    def read(self, name: str) -> bytes:
        """The content of a member.

        Raises:
            OSError: It cannot be read; its text says why.
        """
        ...


class Member(NamedTuple):
    """A file or a folder inside a container, with the methods of `os.DirEntry` that are used."""

    name: str
    folder: bool

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.folder

    def is_file(self) -> bool:
        """Whether it is a file."""
        return not self.folder


class Status(NamedTuple):
    """Size and times of a member, called as in `os.stat_result`."""

    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int


class _Mounted(NamedTuple):
    container: Container
    folders: dict[str, dict[str, bool]]
    """By name of a folder ("" for the top) what is in it; true for folders."""


_mounts: dict[str, _Mounted] = {}


def mount(path: Path, container: Container) -> None:
    """Make the members of a container paths below `path`; replaces what was mounted there."""
    _mounts[os.path.abspath(path)] = _Mounted(container, _folders(container.sizes))


def _folders(names: Iterable[str]) -> dict[str, dict[str, bool]]:
    folders: dict[str, dict[str, bool]] = {"": {}}
    for name in names:
        above, _, last = name.rpartition("/")
        known = folders.get(above)
        if known is None:
            known = folders[above] = {}
            lower = above
            while lower:
                higher, _, part = lower.rpartition("/")
                there = higher in folders
                folders.setdefault(higher, {})[part] = True
                if there:
                    break
                lower = higher
        known.setdefault(last, False)
    return folders


def _find(path: Path | str) -> tuple[_Mounted, str] | None:
    """What is mounted at or above a path, and the rest of the path."""
    if not _mounts:
        return None
    whole = os.path.abspath(path)
    end = len(whole)
    while end > 0:
        mounted = _mounts.get(whole[:end])
        if mounted is not None:
            return mounted, whole[end + 1 :].replace(os.sep, "/")
        end = whole.rfind(os.sep, 0, end)
    return None


def read_member(path: Path | str) -> bytes | None:
    """The content of a member; None where the path leads through no container.

    Raises:
        OSError: There is no such member, or it cannot be read.
    """
    found = _find(path)
    if found is None:
        return None
    mounted, name = found
    if name in mounted.folders:
        raise IsADirectoryError(errno.EISDIR, "it is a folder, not a file", str(path))
    if name not in mounted.container.sizes:
        raise FileNotFoundError(errno.ENOENT, "there is no such file", str(path))
    return mounted.container.read(name)


def stat(path: Path | FilePart | str) -> os.stat_result | Status:
    """Size and times of a file, of a member, or of a part, which has the times of its file.

    Raises:
        OSError: There is none.
    """
    if isinstance(path, FilePart):
        whole = os.stat(path.path)
        return Status(path.size, whole.st_mtime_ns, whole.st_ctime_ns)
    try:
        return os.stat(path)
    except OSError:
        found = _find(path)
        if found is None or found[1] not in found[0].container.sizes:
            raise
        container = found[0].container
        return Status(container.sizes[found[1]], container.time, container.time)


def is_file(path: Path | str) -> bool:
    """Whether a path is a file, or a member."""
    if os.path.isfile(path):
        return True
    found = _find(path)
    return found is not None and found[1] in found[0].container.sizes


def is_folder(path: Path | str) -> bool:
    """Whether a path is a folder: on the disk, or of a container."""
    if os.path.isdir(path):
        return True
    found = _find(path)
    return found is not None and found[1] in found[0].folders


def list_folder(path: Path | str) -> list[os.DirEntry[str] | Member]:
    """What lies directly in a folder, by name.

    Raises:
        OSError: There is no such folder, or it cannot be opened.
    """
    return sorted(_list(path), key=lambda child: child.name)


def _list(path: Path | str) -> Iterator[os.DirEntry[str] | Member]:
    found = None
    try:
        with os.scandir(path) as scan:
            yield from scan
    except OSError:
        found = _find(path)
        if found is None or found[1] not in found[0].folders:
            raise
    if found is not None:
        mounted, name = found
        yield from (Member(child, folder) for child, folder in mounted.folders[name].items())


def folder_name(path: Path) -> str:
    """The name of a folder; of a container's top, the name that it would have unpacked."""
    found = _find(path)
    if found is not None and not found[1]:
        return found[0].container.title
    return path.resolve().name
