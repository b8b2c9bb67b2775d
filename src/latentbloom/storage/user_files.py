"""Opening files that the program did not write: only regular files, and no silent waiting.

A named pipe, a socket or a device may be called like a picture. Opening it could wait for ever,
so it is refused. A share that stops answering cannot be told from a slow one: a read that takes
long is named while it waits.
"""

from __future__ import annotations

import errno
import logging
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, NoReturn, TypeVar

from latentbloom.storage.mounts import FilePart, read_member
from latentbloom.words import shortened, visible

Item = TypeVar("Item")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)

SLOW = 10.0
"""Seconds after which a read is named; then again after twice as many, and so on."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotRegularError(OSError):
    """Something that is no file lies where a file is expected."""


def odd_kind(path: Path | str) -> str:
    """What lies there where it is no regular file: "a named pipe"; "" for a file or nothing.

    Links are followed.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return ""
    return _kind(mode)


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    return next((word for fits, word in _KINDS if fits(mode)), "no regular file")


@contextmanager
def open_file(path: Path | FilePart | str) -> Iterator[IO[bytes]]:
    """Open a regular file, a link to one, a part of one or a member of an archive, to read bytes.

    Raises:
        NotRegularError: It is a named pipe, a socket, a device or a folder.
        OSError: It cannot be opened, or it ends before the part does.
    """
    if isinstance(path, FilePart):
        with open_file(path.path) as whole:
            whole.seek(path.start)
            content = whole.read(path.size)
        if len(content) < path.size:
            raise OSError(errno.EIO, "the file is cut short", str(path))
        yield BytesIO(content)
        return
    with named_while_waiting(path):
        try:
            mode = os.stat(path).st_mode
        except OSError:
            member = read_member(path)
            if member is None:
                raise
            yield BytesIO(member)
            return
        _refuse_odd(mode, path)
        # Somebody may put a pipe there in between: without waiting, opening one returns at once.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            _refuse_odd(os.fstat(file.fileno()).st_mode, path)
            yield file


def _refuse_odd(mode: int, path: Path | str) -> None:
    if kind := _kind(mode):
        error = IsADirectoryError if stat.S_ISDIR(mode) else NotRegularError
        raise error(errno.EINVAL, f"it is {kind}, not a file", str(path))


def read_bytes(path: Path | FilePart | str) -> bytes:
    """The content of a regular file or of a part of one; raises as `open_file`."""
    with open_file(path) as file:
        return file.read()


def read_text(path: Path | str, encoding: str = "utf-8", errors: str = "strict") -> str:
    """The text of a regular file, with Unix line ends; raises as `open_file`.

    Raises:
        UnicodeDecodeError: It is not text of this encoding.
    """
    text = read_bytes(path).decode(encoding, errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def reason(error: OSError) -> str:
    """Why a file cannot be read or written, in a few words without the path."""
    return error.strerror or " ".join(str(error).split()) or type(error).__name__


class _Watch:
    """Names reads that take long, from a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[int, tuple[float, str]] = {}
        self._busy = threading.Event()
        self._count = 0
        self._next = SLOW
        self._thread: threading.Thread | None = None

    def begin(self, what: str) -> int:
        with self._lock:
            self._count += 1
            token = self._count
            self._begun[token] = (time.monotonic(), what)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="slow reads", daemon=True)
                self._thread.start()
        self._busy.set()
        return token

    def end(self, token: int) -> None:
        with self._lock:
            self._begun.pop(token, None)

    def _run(self) -> None:
        while True:
            self._busy.wait()
            time.sleep(min(1.0, SLOW / 4))
            with self._lock:
                now = time.monotonic()
                waiting = {what: now - since for since, what in self._begun.values()}
                if not self._begun:
                    self._busy.clear()
            slow = {what: seconds for what, seconds in waiting.items() if seconds >= SLOW}
            longest = max(slow.values(), default=0.0)
            if not slow:
                self._next = SLOW
            elif longest >= self._next:
                self._next = 2 * longest
                logger.warning(
                    "Reading %s has taken %.0f s so far. Is the disk or share still there? Ctrl-C "
                    "stops.",
                    shortened([visible(what) for what in slow]),
                    longest,
                )


_watch = _Watch()
if hasattr(os, "register_at_fork"):
    # A forked process has no thread of its parent's, but the locks that they held.
    os.register_at_fork(after_in_child=_watch.__init__)


@contextmanager
def named_while_waiting(path: Path | str) -> Iterator[None]:
    """Inside this context, a warning names the file whenever `SLOW` seconds have passed."""
    token = _watch.begin(str(path))
    try:
        yield
    finally:
        _watch.end(token)


def map_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """The results in order, as `ThreadPoolExecutor.map` gives them, but Ctrl-C always works.

    The threads are daemons: one that waits for a share that does not answer keeps neither this
    function nor the program from ending.

    Arguments:
        function: What each thread calls. What it raises is raised here.
        items: Its arguments.
        workers: How many threads.
    """
    todo: queue.SimpleQueue[tuple[int, Item] | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Callable[[], Result]]] = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        while (task := todo.get()) is not None and not stop.is_set():
            place, item = task
            try:
                result = function(item)
            except BaseException as error:  # raised again where the results are read
                done.put((place, partial(_raise, error)))
            else:
                done.put((place, partial(_same, result)))

    count = 0
    for place, item in enumerate(items):
        todo.put((place, item))
        count += 1
    threads = [
        threading.Thread(target=work, name=f"reader {k}", daemon=True)
        for k in range(max(1, min(workers, count)))
    ]
    for thread in threads:
        todo.put(None)
        thread.start()
    results: dict[int, Callable[[], Result]] = {}
    try:
        for place in range(count):
            while place not in results:
                with suppress(queue.Empty):
                    # With a time-out, Ctrl-C is heard on Windows, too.
                    which, result = done.get(timeout=0.5)
                    results[which] = result
            yield results.pop(place)()
    finally:
        stop.set()
        end = time.monotonic() + 2.0
        for thread in threads:  # those that are not stuck end cleanly
            thread.join(max(0.0, end - time.monotonic()))


def _same(result: Result) -> Result:
    return result


def _raise(error: BaseException) -> NoReturn:
    raise error
