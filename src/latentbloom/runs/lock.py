"""One process at a time trains in a run folder; another one is told which.

The lock is one of the operating system: it ends with its process, however that ends. What lies in
the folder only says who holds it.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from latentbloom.errors import RunFolderError
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.disk import remove, step
from latentbloom.storage.files import remove_leftovers, write_json

LOCK = ".lock"
HOLDER = ".holder.json"


class RunLock:
    """The right to train in a run folder. A context, at whose end it is given back.

    Taking it also removes what processes that were killed have left half written.

    Arguments:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / LOCK)

    def take(self) -> None:
        """Take it, if this process does not hold it yet. The folder must be there.

        Raises:
            RunFolderError: Another process holds it.
            OSError: The folder cannot be written.
        """
        if self._lock.is_locked:
            return
        try:
            with step("write", self.folder / LOCK):
                self._lock.acquire(timeout=0)
        except Timeout:
            raise RunFolderError(
                f"{self.folder} is being trained by {self._holder()}. Wait until that has ended, "
                "or choose another --out."
            ) from None
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        me = {"host": socket.gethostname(), "pid": os.getpid(), "since": now}
        write_json(self.folder / HOLDER, me)
        remove_leftovers(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock.is_locked:
            for name in (HOLDER, LOCK):  # while it is held, so that nobody else's are removed
                with suppress(OSError):  # Windows keeps the lock's file until it is released
                    remove(self.folder / name)
            self._lock.release()

    def _holder(self) -> str:
        try:
            told = read_json(self.folder / HOLDER, folder=self.folder)
            pid, host, since = (str(told[name])[:80] for name in ("pid", "host", "since"))
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"
        return f"process {pid} on {host}, since {since}"
