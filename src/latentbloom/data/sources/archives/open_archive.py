"""Opening an archive as a folder: zip, tar, and tar that is compressed."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from latentbloom.data.reading import is_picture_name
from latentbloom.data.sources.archives.member_names import is_archive_name
from latentbloom.data.sources.archives.tar_files import TarArchive, open_tar
from latentbloom.data.sources.archives.unpack_cache import (
    is_compressed,
    say_copy,
    unpacked_copy,
)
from latentbloom.data.sources.archives.zip_files import ZipArchive, open_zip
from latentbloom.data.sources.base import SetAside
from latentbloom.data.sources.folders.split_folders import split_word
from latentbloom.data.sources.folders.unread import why_unread
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import Member, list_folder, mount
from latentbloom.storage.user_files import open_file, reason

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_TABLES = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".parquet", ".xml", ".yaml", ".arrow")
_SPREADSHEETS = (".xlsx", ".xlsm", ".ods")
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257
_OTHER = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard",
}


@dataclass(frozen=True)
class OpenedArchive:
    """An archive whose members can be read like files.

    Arguments:
        set_aside: Members that are refused, and why.
        notes: Sentences for the user.
    """

    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that can be read in place, or one that is named as such."""
    return is_archive_name(path.name) or _kind(_head(path)) != ""


def open_archive(path: Path) -> OpenedArchive:
    """Make the members of an archive readable, as if it were a folder.

    Raises:
        SourceError: It cannot be read, is empty, or is of another kind.
    """
    archive = _open(path)
    mount(path, archive)
    notes = archive.notes if isinstance(archive, TarArchive) else ()
    return OpenedArchive(archive.set_aside, notes)


def _open(path: Path) -> ZipArchive | TarArchive:
    head = _head(path)
    kind = _kind(head)
    if path.suffix.casefold() in _SPREADSHEETS:
        raise SourceError(
            f"{path} is a spreadsheet. Save it as CSV, as labels.csv beside the pictures."
        )
    if kind == "zip" or (not kind and path.name.casefold().endswith(".zip")):
        if not head:
            raise SourceError(f"{path} is empty: it has no bytes.")
        return open_zip(path)
    if kind != "compressed":
        other = next((what for mark, what in _OTHER.items() if head.startswith(mark)), "")
        if other:
            raise SourceError(
                f"{path} is {other}, which is not read. Unpack it, or pack it as zip."
            )
        return open_tar(path)
    try:
        copy, broken = unpacked_copy(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error
    archive = open_tar(copy, called=path)
    notes = [say_copy(path, copy), *archive.notes]
    if broken and not archive.notes:
        notes.append(f"{path.name} breaks off ({broken}): what came after is lost.")
    return replace(archive, notes=tuple(notes))


def _kind(head: bytes) -> str:
    if head.startswith(_ZIP):
        return "zip"
    if is_compressed(head):
        return "compressed"
    return "tar" if head[_TAR_MARK_AT:].startswith(_TAR_MARK) else ""


def _head(path: Path) -> bytes:
    try:
        with open_file(path) as file:
            return file.read(_TAR_MARK_AT + len(_TAR_MARK))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {reason(error)}.") from error


def only_folder(path: Path) -> Path:
    """Below the folders that archives have around everything, unless they are labels or splits.

    Arguments:
        path: An archive that was opened.
    """
    here = path
    while True:
        children = list_folder(here)
        folders = [c.name for c in children if c.is_dir() and why_unread(here / c.name) is None]
        if (
            len(folders) != 1
            or split_word(folders[0])
            or any(_is_table(child) or _is_picture(child) for child in children)
        ):
            return here
        below = list_folder(here / folders[0])
        if not any(child.is_dir() or _is_table(child) for child in below):
            return here
        here = here / folders[0]


def _is_table(child: os.DirEntry[str] | Member) -> bool:
    """Whether a file may hold labels: a README beside the only folder does not."""
    return not child.is_dir() and child.name.casefold().endswith(_TABLES)


def _is_picture(child: os.DirEntry[str] | Member) -> bool:
    return not child.is_dir() and is_picture_name(child.name) and child.name[0] != "."
