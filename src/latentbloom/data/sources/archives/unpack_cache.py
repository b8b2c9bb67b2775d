"""A cache of unpacked files: what cannot be read in place is copied there once, within bounds."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import logging
import lzma
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from latentbloom.data.sources.archives.member_names import looks_like_bomb
from latentbloom.errors import SourceError
from latentbloom.storage import mounts
from latentbloom.storage.disk import make_folder, remove
from latentbloom.storage.files import cache_folder, write_atomic
from latentbloom.storage.user_files import open_file, reason
from latentbloom.words import visible

LIMIT = 32 << 30
"""Bytes at most of one unpacked archive."""

LIMIT_OF_ALL = 64 << 30
"""Bytes at most of all; what was not used for longest goes first."""

SHARE_OF_FREE = 2
"""At most one part in so many of the disk's free space is used."""

_PIECE = 1 << 20
_LARGE = 256 << 20
"""Of an archive of so many bytes, it is said that it is being unpacked."""

logger = logging.getLogger(__name__)
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ"


def cache_of_archives() -> Path:
    """The folder of the unpacked copies."""
    return cache_folder() / "archives"


def is_compressed(head: bytes) -> bool:
    """Whether a file that begins like this is compressed with gzip, bzip2 or xz."""
    return head.startswith((_GZIP, _BZIP2, _XZ))


def _unpacking(file: IO[bytes]) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    head = file.read(len(_XZ))
    file.seek(0)
    if head.startswith(_GZIP):
        return gzip.GzipFile(fileobj=file)
    return bz2.BZ2File(file) if head.startswith(_BZIP2) else lzma.LZMAFile(file)


def unpacked_copy(path: Path) -> tuple[Path, str]:
    """The content of a compressed file, in a file of the cache.

    Arguments:
        path: Compressed with gzip, bzip2 or xz. Where it breaks off, what came before is kept.

    Returns:
        The copy, and how the compressed file breaks off; "" where it is whole.

    Raises:
        SourceError: It unpacks to too much, or the cache cannot be written.
        OSError: It cannot be read.
    """
    broken: list[str] = []

    def pieces() -> Iterator[bytes]:
        with open_file(path) as file, _unpacking(file) as stream:
            try:
                # `read` would lose what comes just before the place where a file breaks off.
                while piece := stream.read1(_PIECE):
                    yield piece
                    _check_bomb(path, stream.tell(), file.tell())
            except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # of the disk, not of the content
                broken.append(str(error).rstrip("."))

    copy = _copy(path, ".tar", pieces)
    mark = copy.with_suffix(".broken")
    with suppress(OSError):
        if broken:
            write_atomic(mark, broken[0])
        return copy, mark.read_text(encoding="utf-8") if mark.exists() else ""
    return copy, "".join(broken)


def on_disk(path: Path) -> Path:
    """A file as it is; a member of an archive as a copy in the cache, for what reads only files.

    Raises:
        SourceError: It is too large, or the cache cannot be written.
        OSError: It cannot be read.
    """

    def pieces() -> Iterator[bytes]:
        with open_file(path) as file:
            while piece := file.read(_PIECE):
                yield piece

    return path if path.exists() else _copy(path, path.suffix, pieces)


def _check_bomb(path: Path, unpacked: int, packed: int) -> None:
    if looks_like_bomb(unpacked, packed):
        raise SourceError(
            f"{path} unpacks to more than {unpacked:,} bytes from {packed:,}, as a bomb does, and "
            "is not read. If it holds pictures, unpack it and give the folder."
        )


def _copy(path: Path, suffix: str, pieces: Callable[[], Iterator[bytes]]) -> Path:
    status = mounts.stat(path)
    key = f"{os.path.realpath(path)}:{status.st_size}:{status.st_mtime_ns}"
    folder = cache_of_archives()
    copy = folder / f"{hashlib.sha256(key.encode(errors='surrogatepass')).hexdigest()[:24]}{suffix}"
    if copy.is_file():
        with suppress(OSError):
            os.utime(copy)  # it was used now
        return copy
    try:
        make_folder(folder)
        most = min(LIMIT, shutil.disk_usage(folder).free // SHARE_OF_FREE)
    except OSError as error:
        raise _no_cache(path, error) from error

    if status.st_size >= _LARGE:
        logger.warning("%s is unpacked to %s, which may take minutes.", visible(str(path)), folder)

    def write(beside: Path) -> None:
        written = 0
        with beside.open("wb") as file:
            for piece in pieces():
                written += len(piece)
                if written > most:
                    raise SourceError(
                        f"{path} unpacks to more than {most:,} bytes, which the cache folder "
                        f"{folder} has no room for. Unpack it yourself and give the folder, or "
                        "name a larger cache folder in LATENTBLOOM_CACHE."
                    )
                file.write(piece)

    try:
        write_atomic(copy, write)
    except OSError as error:
        raise _no_cache(path, error) from error
    _remove_oldest(folder, copy)
    return copy


def _no_cache(path: Path, error: OSError) -> SourceError:
    return SourceError(
        f"{path} must be unpacked before it can be read, and the cache folder "
        f"{cache_of_archives()} cannot be written ({reason(error)}). Name another one in "
        "LATENTBLOOM_CACHE, or unpack it yourself and give the folder."
    )


def _remove_oldest(folder: Path, spared: Path) -> None:
    """Remove what was not used for longest, until all of it is within `LIMIT_OF_ALL`."""
    ages = []
    for file in folder.iterdir():
        with suppress(OSError):
            status = file.stat()
            ages.append((status.st_mtime, status.st_size, file))
    total = sum(size for _, size, _ in ages)
    for _, size, file in sorted(ages):
        if total > LIMIT_OF_ALL and file != spared:
            with suppress(OSError):  # Windows keeps a file that is in use
                remove(file)
            total -= size


def say_copy(path: Path, copy: Path) -> str:
    """A sentence about a copy in the cache."""
    return (
        f"{path.name} is compressed as a whole and can only be read from its start: it is unpacked "
        f"once, to {copy} ({copy.stat().st_size / 1e6:,.0f} MB)."
    )
