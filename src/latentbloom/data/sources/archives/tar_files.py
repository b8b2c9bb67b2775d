"""A tar archive, read in place: where the bytes of each member begin."""

from __future__ import annotations

import errno
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from latentbloom.data.sources.archives.member_names import Members, title
from latentbloom.data.sources.base import SetAside
from latentbloom.errors import SourceError
from latentbloom.storage.user_files import open_file, reason
from latentbloom.words import plural

_BLOCK = 512
_KINDS = {
    tarfile.SYMTYPE: "a link, which is not followed inside an archive",
    tarfile.LNKTYPE: "a link, which is not followed inside an archive",
    tarfile.FIFOTYPE: "a named pipe, not a file",
    tarfile.CHRTYPE: "a device, not a file",
    tarfile.BLKTYPE: "a device, not a file",
}


@dataclass(frozen=True)
class TarArchive:
    """A tar archive that is not compressed; see `mounts.Container`.

    Arguments:
        path: Its file.
        title: The archive's name without its ending.
        sizes: Bytes of each member.
        time: When the archive changed last, in nanoseconds.
        places: The first byte of each member.
        set_aside: Members that are refused, and why.
        notes: Sentences for the user.
    """

    path: Path
    title: str
    sizes: Mapping[str, int]
    time: int
    places: Mapping[str, int]
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...] = ()

    def read(self, name: str) -> bytes:
        """The content of a member; see `mounts.Container`."""
        with open_file(self.path) as file:
            file.seek(self.places[name])
            content = file.read(self.sizes[name])
        if len(content) < self.sizes[name]:
            raise OSError(errno.EIO, "the archive is cut short there")
        return content


def open_tar(path: Path, *, called: Path | None = None) -> TarArchive:
    """List a tar archive that is not compressed.

    Arguments:
        path: Its file.
        called: The file that the user named, where `path` is an unpacked copy of it.

    Raises:
        SourceError: It is no tar archive, is empty, or nothing in it can be read.
    """
    named = called or path
    members: Members[int] = Members(named.name)
    try:
        time = os.stat(named).st_mtime_ns
        with open_file(path) as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for member in _members(archive):
                    _take(member, members, length)
                whole = _is_whole(archive)
    except tarfile.TarError as error:
        raise SourceError(
            f"{named} cannot be read as a tar archive ({error}). Was it cut short? Fetch or pack "
            "it again."
        ) from error
    except OSError as error:
        raise SourceError(f"{named} cannot be read: {reason(error)}.") from error
    notes = []
    if not whole:
        found = plural(len(members.places), "file")
        notes.append(
            f"{named.name} is cut short or damaged after {found}: what came after them is lost."
        )
    members.finish()
    return TarArchive(
        path,
        title(named.name),
        members.sizes,
        time,
        members.places,
        tuple(members.set_aside),
        tuple(notes),
    )


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members one by one, without a list of them; the archive may end early."""
    while True:
        try:
            member = archive.next()
        except tarfile.TarError:
            if archive.offset == 0:
                raise
            return
        if member is None:
            return
        vars(archive)["members"] = []  # it would remember all of them
        yield member


def _take(member: tarfile.TarInfo, members: Members[int], length: int) -> None:
    if member.isdir():
        return
    if member.type in _KINDS:
        members.refuse(member.name, f"it is {_KINDS[member.type]}")
    elif not member.isreg() or member.issparse():
        members.refuse(member.name, "it is stored in a way of tar that is not read (sparse)")
    elif member.offset_data + member.size > length:
        members.refuse(member.name, "the archive is cut short inside it")
    else:
        members.add(member.name, member.size, member.offset_data)


def _is_whole(archive: tarfile.TarFile) -> bool:
    """Whether the end mark, a block of zeros, follows the last member."""
    file = archive.fileobj
    assert file is not None
    file.seek(archive.offset)
    block = file.read(_BLOCK)
    return len(block) == _BLOCK and not any(block)
