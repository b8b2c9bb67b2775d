"""How this program writes files, and where its cache is."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import logging
import math
import os
import re
import tarfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from latentbloom.errors import LatentbloomError
from latentbloom.storage.disk import make_folder, remove, rename, step, sync
from latentbloom.words import visible

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """The cache folder: $LATENTBLOOM_CACHE, or the user's own."""
    if told := os.environ.get("LATENTBLOOM_CACHE"):
        return Path(told).expanduser()
    return Path(platformdirs.user_cache_dir("latentbloom", appauthor=False))


@contextmanager
def spare_cache() -> Iterator[None]:
    """Inside this context, a cache that cannot be written costs one warning and nothing else."""
    try:
        yield
    except OSError as error:
        _say_no_cache(str(cache_folder()), error.strerror or str(error))


@cache
def _say_no_cache(folder: str, why: str) -> None:
    logger.warning(
        "The cache folder %s cannot be written (%s): it is not used, and what it would keep is "
        "computed again. To use another one, set LATENTBLOOM_CACHE.",
        folder,
        why,
    )


def reason_of(error: Exception) -> str:
    """What went wrong, in a sentence's end: of files the name and the system's own words."""
    if isinstance(error, OSError) and error.errno is not None and error.filename:
        return f"{file_of(error)} cannot be read or written: {error.strerror}"
    if isinstance(error, LatentbloomError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def file_of(error: OSError) -> str:
    """The file that an error is about, as the user knows it: it is written under another name."""
    return re.sub(r"\.\d+\.new\.(probe$)?", "", visible(os.fsdecode(error.filename)))


def remove_leftovers(folder: Path) -> None:
    """Remove the hidden files that `write_atomic` of a process that was killed has left."""
    import psutil

    for path in folder.rglob(".*.new.*"):
        match = re.match(r"\.(\d+)\.new\.", path.name)
        if match and path.is_file() and not psutil.pid_exists(int(match[1])):
            with suppress(OSError):  # it is in nobody's way
                remove(path)


def check_writable(folder: Path) -> None:
    """Try to write where a folder is, or will be, before work is spent on what belongs there.

    Arguments:
        folder: It is not made if it is missing: what is above it is tried.

    Raises:
        OSError: No file can be written there.
    """
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(nearest))
    probe = nearest / f".{os.getpid()}.new.probe"
    try:
        with step("write", probe):
            probe.write_bytes(b"")
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def write_atomic(path: Path | str, content: bytes | str | Callable[[Path], object]) -> Path:
    """Write a file so that it holds the old content or the new one at any time, never a part.

    The content goes to a hidden file beside it, which is synced to the disk and renamed into place.
    If that fails, the hidden file is removed and the old content stays.

    Arguments:
        path: The file; its folder is created if missing.
        content: Bytes, text (UTF-8), or a function that writes to the path it is
            given, which has the suffix of `path`.

    Returns:
        The path.

    Raises:
        OSError: It cannot be written: the disk is full, or the folder is read-only.
    """
    path = Path(path)
    make_folder(path.parent)
    beside = path.with_name(f".{os.getpid()}.new.{path.name}")
    try:
        with step("write", beside):
            if callable(content):
                content(beside)
            elif isinstance(content, str):
                # A surrogate, from a name that is no UTF-8, becomes its escape, also in JSON.
                beside.write_bytes(content.encode(errors="backslashreplace"))
            else:
                beside.write_bytes(content)
        sync(beside)
        rename(beside, path)
    except BaseException:
        with suppress(OSError):  # the first error says more
            beside.unlink(missing_ok=True)
        raise
    sync(path.parent)
    return path


def write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a tar file without owners and times: the same members are the same bytes anywhere.

    Arguments:
        path: The file. It is not replaced atomically: call this through `write_atomic`.
        members: Names, of at most 100 bytes, and contents.
    """
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def write_json(path: Path | str, data: Any) -> Path:
    """`write_atomic` for data that JSON can hold; what is not finite becomes null."""
    return write_atomic(path, json.dumps(finite(data), indent=2) + "\n")


def finite(tree: Any) -> Any:
    """Data with null in place of numbers that JSON does not have: NaN and the infinities."""
    if isinstance(tree, Mapping):
        return {name: finite(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)
"""What Windows takes for a device, whatever ending follows."""


def file_word(text: str, *, most: int = 120) -> str:
    """Text as part of a file name that Linux, macOS and Windows accept.

    "smiling: yes, glasses: no" becomes "smiling-yes-glasses-no". A long text is cut and gets a
    hash of the whole, so that two long texts keep different names.

    Arguments:
        text: Any text.
        most: Bytes of the result in UTF-8; file systems take 255 for the whole name.

    Returns:
        The word; "any" where nothing of the text can be used.
    """
    word = re.sub(r"[^\w.+]+", "-", text).strip("-").rstrip(".") or "any"
    if len(word.encode()) > most:
        start = word.encode()[: most - 9].decode(errors="ignore")
        word = f"{start}-{_digest(text)[:8]}"
    return _RESERVED.sub(r"\1_", word)


def condition_word(pieces: Sequence[str], *, most: int = 80) -> str:
    """A condition as part of a file name: short, stable, and different for different conditions.

    ["smiling", "yes", "wearing_hat", "no"] becomes "smiling-yes-wearing_hat-no". Where this loses
    something (capitals, punctuation, what is beyond `most` bytes), "~" and a hash of the whole
    follow, so that two names also differ on file systems that ignore case.

    Arguments:
        pieces: Names and values, in order.
        most: Bytes of the result in UTF-8.

    Returns:
        The word; "any" where there are no pieces.
    """
    if not pieces:
        return "any"
    text = "-".join(piece.replace(" ", "+") for piece in pieces)
    word = file_word(text, most=most)
    plain = all(
        re.fullmatch(r"[\w.]+( [\w.]+)*", piece)
        and unicodedata.normalize("NFC", piece).casefold() == piece
        for piece in pieces
    )
    if plain and word == text != "any":
        return word
    start = word.encode()[: most - 11].decode(errors="ignore")
    return f"{start}~{_digest(json.dumps(list(pieces)))[:10]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
