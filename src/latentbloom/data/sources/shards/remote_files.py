"""Shards behind a URL: each is fetched once into the cache folder, whole, and then read there.

The audit reads every picture anyway, so nothing is fetched that would not be needed; and training
reads at the speed of the disk, in any order, also without a network.
"""

from __future__ import annotations

import hashlib
import json
import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from latentbloom.data.sources.shards.patterns import PREFIX, fsspec_module
from latentbloom.errors import SourceError
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.disk import make_folder
from latentbloom.storage.files import cache_folder, write_atomic

SILENCE = 30.0
"""Seconds without a byte after which a URL is given up."""

_PIECE = 1 << 20
_MOST_BESIDE = 256 << 20
_VERSION = ("size", "ETag", "etag", "mtime", "LastModified", "last_modified", "md5", "sha256")
"""What file systems tell of a file that changes with its content."""

Result = TypeVar("Result")


def find_urls(pattern: str) -> list[str]:
    """The URLs that a pattern with wildcards means.

    Raises:
        SourceError: The file system cannot list its files, or does not answer.
    """
    try:
        files, path = _file_system(pattern)
        found = _in_time(lambda: files.glob(path))
        return [str(files.unstrip_protocol(one)) for one in found]
    except SourceError:
        raise
    except Exception as error:  # each file system has its own
        raise SourceError(
            f"'{PREFIX}{pattern}' cannot be listed: {_why(error)}. Where a server lists no files, "
            "name them with braces, as in train-{000000..000099}.tar."
        ) from error


def local_copy(url: str) -> Path:
    """Fetch a file into the cache folder, unless this version of it is there already.

    A copy that is there is also used where the URL does not answer, or has the file no more.

    Raises:
        OSError: It cannot be fetched; the text says why.
    """
    files, path = _file_system(url)
    place = _place(url)
    about = place.with_name(f"{place.name}.json")
    known = _known(about) if place.is_file() else None
    try:
        told = _in_time(lambda: files.info(path))
        version = {name: str(told[name]) for name in _VERSION if told.get(name) is not None}
        if known is not None and known == version and version:
            return place
        _check_room(int(told.get("size") or 0))
        write_atomic(place, lambda beside: _fetch(files, path, beside, told.get("size")))
    except Exception as error:  # each file system has its own
        if known is not None:
            return place
        raise OSError(_why(error)) from error
    write_atomic(about, json.dumps(version))
    return place


def read_beside(url: str) -> bytes | None:
    """A small file that may lie beside the shards; None where there is none.

    Raises:
        OSError: The URL does not answer.
    """
    files, path = _file_system(url)

    def read() -> bytes | None:
        try:
            with files.open(path, "rb") as file:
                return file.read(_MOST_BESIDE)
        except FileNotFoundError:
            return None

    try:
        return _in_time(read)
    except TimeoutError:
        raise
    except Exception:  # a server that forbids it, or has a page of its own for what is missing
        return None


def _file_system(url: str) -> tuple[Any, str]:
    try:
        return fsspec_module(url).core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise SourceError(f"'{url}' cannot be opened: {_why(error)}.") from error


def _place(url: str) -> Path:
    key = hashlib.sha256(url.encode()).hexdigest()[:24]
    return cache_folder() / "shards" / key / (url.rpartition("/")[2].partition("?")[0] or "shard")


def _known(about: Path) -> dict[str, str] | None:
    with suppress(OSError, ValueError):
        found = read_json(about, folder=about.parent)
        return found if isinstance(found, dict) else None
    return None


def _check_room(size: int) -> None:
    folder = cache_folder()
    make_folder(folder)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OSError(
            f"it has {size:,} bytes, and {free:,} are free in {folder}; set LATENTBLOOM_CACHE to "
            "a folder on a larger disk"
        )


def _fetch(files: Any, path: str, beside: Path, size: int | None) -> None:
    done = 0
    with beside.open("wb") as file:
        for piece in _pieces(lambda: files.open(path, "rb", cache_type="none")):
            file.write(piece)
            done += len(piece)
    if size and done != size:
        raise OSError(f"{done:,} of {size:,} bytes came")


def _pieces(open_it: Callable[[], IO[bytes]]) -> Iterator[bytes]:
    """The content of a file, read in a thread that is left behind when it gets no answer."""
    pieces: queue.Queue[bytes | BaseException] = queue.Queue(maxsize=8)
    over = threading.Event()

    def read() -> None:
        try:
            with open_it() as file:
                while (piece := file.read(_PIECE)) and not over.is_set():
                    pieces.put(piece)
            pieces.put(b"")
        except BaseException as error:  # raised again where the pieces are read
            pieces.put(error)

    threading.Thread(target=read, name="fetching", daemon=True).start()
    try:
        while piece := _next(pieces):
            yield piece
    finally:
        over.set()


def _in_time(ask: Callable[[], Result]) -> Result:
    """What a function returns; it is left behind when it takes longer than `SILENCE`."""
    answers: queue.Queue[tuple[Result] | BaseException] = queue.Queue()

    def answer() -> None:
        try:
            answers.put((ask(),))
        except BaseException as error:  # raised again below
            answers.put(error)

    threading.Thread(target=answer, name="asking", daemon=True).start()
    try:
        found = answers.get(timeout=SILENCE)
    except queue.Empty:
        raise TimeoutError(_no_answer()) from None
    if isinstance(found, BaseException):
        raise found
    return found[0]


def _next(pieces: queue.Queue[bytes | BaseException]) -> bytes:
    try:
        piece = pieces.get(timeout=SILENCE)
    except queue.Empty:
        raise TimeoutError(_no_answer()) from None
    if isinstance(piece, BaseException):
        raise piece
    return piece


def _no_answer() -> str:
    return f"no answer for {SILENCE:g} s"


def _why(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    text = " ".join(str(error).split()).rstrip(".")
    return (text if len(text) <= 240 else f"{text[:240]} ...") or type(error).__name__
