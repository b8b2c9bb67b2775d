"""Ctrl-C during training: the first ends the step and saves, the second is the ordinary kind."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """Listens for Ctrl-C.

    Arguments:
        say: Receives a sentence when it comes.

    Attributes:
        stopping: Whether it has come.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.stopping = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """While this is open, the first Ctrl-C sets `stopping`."""

        def stop(number: int, frame: FrameType | None) -> None:
            del number, frame
            self.stopping = True
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.say("Stopping after this step; once more to stop at once, unsaved.")

        try:
            before: Any = signal.signal(signal.SIGINT, stop)
        except ValueError:  # not the main thread, as in a notebook's worker
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
