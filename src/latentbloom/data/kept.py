"""Decoded pictures on disk, at the size of a run, so that each file is decoded once.

The audit decodes every picture. What it decodes is kept here, and training reads it instead of
decoding the files again. The pictures are in the user's cache folder and not in the run folder:
the audit comes before the plan, when there is no run folder yet, and later runs and scores on the
same pictures read them, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from latentbloom.data.kept_rows import KeptRows, RowColumn
from latentbloom.data.listed.entries import Entries
from latentbloom.data.pixels import Fit, with_channels
from latentbloom.data.reading import FileStamp
from latentbloom.data.sources.base import Entry, Source
from latentbloom.sharing import ALONE, Group
from latentbloom.storage.disk import make_folder, remove, remove_folder, rename, step, sync
from latentbloom.storage.files import cache_folder, spare_cache

LIMIT = 1 << 30
"""Bytes at most for the pictures of one source at one size: 87,000 pictures at 64 px."""

LIMIT_OF_ALL = 4 << 30
"""Bytes at most for all sources together; the oldest ones go first."""

SHARE_OF_FREE = 4
"""At most one part in so many of the disk's free space is used."""

_RECIPE = 2
"""Changes whenever the same file might be decoded to other pixels."""

_INDEX = "index"


class KeptPictures:
    """Decoded pictures by entry, read from a memory-mapped file.

    Arguments:
        source: Whose pictures they are; knows whether a file has changed.
        parts: Files as arrays, uint8 (N, size, size, 3), and for each whose rows they are.
    """

    def __init__(self, source: Source, parts: list[tuple[np.ndarray, KeptRows]]) -> None:
        self._source = source
        self._parts = parts

    def read(self, entry: Entry) -> np.ndarray | None:
        """uint8 (size, size, 3); None if it is not kept or its file has changed since."""
        for pixels, rows in self._parts:
            row, stamp = rows.find(entry.name)
            if row >= 0 and self._source.stamp(entry) == stamp:
                return np.array(pixels[row])
        return None


class KeepPictures:
    """Writes decoded pictures while they come in; a context that publishes them at its end.

    Where they cannot be written, nothing is kept, and the pictures are decoded again later.

    Arguments:
        source: Whose pictures they are.
        size: Side of the pictures, in pixels.
        fit: How pictures that are not square become so.
        group: Processes that keep a part each, in a file of their own.
    """

    def __init__(self, source: Source, *, size: int, fit: Fit, group: Group = ALONE) -> None:
        self._size = size
        self._folder = _folder(source, size, fit)
        self._part = "" if group.count == 1 else f"-{group.index + 1}of{group.count}"
        self._name = f"pixels{self._part}-{os.getpid()}-{time.time_ns()}.npy"
        self._beside = self._folder / f".new.{self._name}"
        self._rows = RowColumn()
        self._lock = threading.Lock()
        self._room = 0
        self._file: IO[bytes] | None = None
        with spare_cache():
            make_folder(self._folder)
            free = shutil.disk_usage(self._folder).free // SHARE_OF_FREE
            room = min(len(source.entries), min(LIMIT, free) // (3 * size * size)) // group.count
            with step("write", self._beside):
                self._file = self._beside.open("wb")
            header: dict[str, Any] = {
                "descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)),
                "fortran_order": False,
                "shape": (room, size, size, 3),
            }
            np.lib.format.write_array_header_1_0(self._file, header)
            self._room = room

    def __enter__(self) -> KeepPictures:
        return self

    def add(self, entry: Entry, square: np.ndarray, stamp: FileStamp) -> None:
        """Keep a picture; any thread may call it.

        Arguments:
            entry: Which picture.
            square: uint8 (size, size, C), C in {1, 3}.
            stamp: Of its file, taken before it was decoded.
        """
        content = with_channels(square, 3).tobytes()
        with self._lock:
            if self._file is None or len(self._rows) >= self._room:
                return
            try:
                with step("append", self._beside):
                    self._file.write(content)
            except OSError:  # the disk is full
                self._discard()
                with spare_cache():
                    raise
                return
            self._rows.append(entry.name, stamp)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None or not len(self._rows):
            self._discard()
            return
        with spare_cache():
            try:
                self._publish()
            except OSError:
                self._discard()
                raise

    def _publish(self) -> None:
        """Complete the file, rename it into place, and only then name it in the index."""
        if self._file is None:
            return
        start = self._file.tell() - len(self._rows) * 3 * self._size**2
        with step("write", self._beside):
            self._file.truncate(start + self._room * 3 * self._size**2)
            self._file.close()
        sync(self._beside)
        rename(self._beside, self._folder / self._name)
        self._rows.save(self._folder / f"{_INDEX}{self._part}.json", self._name)
        for other in self._folder.glob(f"pixels{self._part}-[0-9]*.npy"):
            if other.name != self._name and (self._part or "of" not in other.name):
                with suppress(OSError):  # Windows keeps a file that is in use
                    remove(other)
        _remove_oldest(self._folder)

    def _discard(self) -> None:
        self._rows = RowColumn()
        self._room = 0
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            self._beside.unlink(missing_ok=True)
        self._file = None


def open_kept(source: Source, *, size: int, fit: Fit) -> KeptPictures | None:
    """The kept pictures of a source at one size; None if there are none.

    Arguments:
        source: Whose pictures.
        size: Side, in pixels.
        fit: How pictures that are not square become so.
    """
    if source.synthetic:
        return None
    folder = _folder(source, size, fit)
    found = [_open_part(path, size) for path in sorted(folder.glob(f"{_INDEX}*.json"))]
    parts = [part for part in found if part is not None]
    return KeptPictures(source, parts) if parts else None


def _open_part(path: Path, size: int) -> tuple[np.ndarray, KeptRows] | None:
    """A file of pixels and its rows; None if they cannot be used."""
    folder = path.parent
    try:
        rows = KeptRows(path)
        pixels = np.load(folder / rows.file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    if pixels.shape[1:] != (size, size, 3) or pixels.dtype != np.uint8:
        return None
    if len(rows) > len(pixels):
        return None
    return pixels, rows


def _folder(source: Source, size: int, fit: Fit) -> Path:
    """A folder of its own for all that decides the pixels."""
    import PIL

    folders = Entries.of(source.entries).folders()
    where = os.path.commonpath([os.path.realpath(f) for f in folders]) if folders else source.name
    parts = json.dumps([where, source.treatment, size, fit, PIL.__version__, _RECIPE])
    return _root() / hashlib.sha256(parts.encode()).hexdigest()[:24]


def _root() -> Path:
    return cache_folder() / "pictures"


def _remove_oldest(spared: Path) -> None:
    """Remove what was kept longest ago, until all of it is within `LIMIT_OF_ALL`."""
    ages = []
    for folder in _root().iterdir():
        with suppress(OSError):
            files = [file.stat() for file in folder.iterdir()]
            ages.append((folder.stat().st_mtime, sum(file.st_size for file in files), folder))
    total = sum(size for _, size, _ in ages)
    for _, size, folder in sorted(ages, key=lambda one: one[0]):
        if total > LIMIT_OF_ALL and folder != spared:
            with suppress(OSError):
                remove_folder(folder)
            total -= size
