"""The files of published data sets: which are there, and fetching those that are not."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from latentbloom.data.reading import is_picture_name
from latentbloom.data.sources.base import SetAside
from latentbloom.data.sources.labels.names import natural_key
from latentbloom.errors import SourceError
from latentbloom.storage.disk import remove_folder, rename

_SILENCE = 60.0
"""Seconds without an answer after which a server is given up."""


def pictures_in(folder: Path) -> dict[str, str]:
    """Names of the pictures right inside a folder, by themselves without ending.

    Empty when it is no folder. Names and no paths, because there may be 200,000.
    """
    if not folder.is_dir():
        return {}
    names = (name for name in os.listdir(folder) if is_picture_name(name) and name[0] != ".")
    return {os.path.splitext(name)[0]: name for name in names}


def holds_pictures(folder: Path) -> bool:
    """Whether a picture lies right inside a folder."""
    return folder.is_dir() and any(map(is_picture_name, os.listdir(folder)))


def match_files(
    wanted: Sequence[str], folder: Path, index: Path
) -> tuple[dict[str, Path], list[SetAside], list[str]]:
    """Which of the pictures that an index names are there; the ending may be another one.

    Arguments:
        wanted: Names of the pictures.
        folder: Holds them.
        index: The file that names them.

    Returns:
        The files that are there by the names in the index; what is not used; and sentences that
        say so.
    """
    there = pictures_in(folder)
    stems = {name: os.path.splitext(name)[0] for name in wanted}
    found = {name: folder / there[stem] for name, stem in stems.items() if stem in there}
    aside = [
        SetAside(name, f"{index.name} names it, but {folder.name}/ has no such picture")
        for name in wanted
        if name not in found
    ]
    notes = []
    if aside:
        notes.append(
            f"Not in {folder}: {len(aside):,} of the {len(wanted):,} pictures that {index.name} "
            "names; the others are used."
        )
    strangers = sorted((there[stem] for stem in there.keys() - stems.values()), key=natural_key)
    aside += [SetAside(name, f"{index.name} does not name it") for name in strangers]
    return found, aside, notes


def fetch(what: str, download: Callable[[], None], how: str) -> None:
    """Fetch something, or say in one message how a person gets it.

    Arguments:
        what: What is missing, as a sentence.
        download: Does it; may raise anything.
        how: Where to get it and where to put it.

    Raises:
        SourceError: It could not be fetched.
    """
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE)  # torchvision waits for ever otherwise
    try:
        download()
    # No network, a quota, a page that moved, a package that is not installed, a full disk, a
    # broken archive: each library has its own errors, and to the user all mean the same.
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        reason = reason if len(reason) <= 240 else f"{reason[:240]} ..."
        raise SourceError(f"{what} Fetching it failed: {reason}.\n{how}") from error
    finally:
        socket.setdefaulttimeout(timeout)


def unpack(archive: Path, name: str) -> None:
    """Unpack a folder beside its archive; it appears when all of it is there.

    Arguments:
        archive: Any that torchvision knows.
        name: Of the folder in it that is wanted.

    Raises:
        SourceError: The archive is broken, or has no such folder.
    """
    from torchvision.datasets.utils import extract_archive

    beside, folder = archive.with_name(".unpacking"), archive.with_name(name)
    try:
        remove_folder(beside)  # of an attempt that was interrupted
        extract_archive(archive, beside)
        if folder.is_dir():
            folder.rmdir()  # empty, or it would have been used
        rename(beside / name, folder)
        remove_folder(beside)
    except Exception as error:  # zipfile, tarfile and zlib have many, and all mean the same
        raise SourceError(
            f"{archive} cannot be unpacked ({error}); unpack it by hand, or delete it to have it "
            "downloaded again"
        ) from error
