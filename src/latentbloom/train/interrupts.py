"""Ctrl-C during training: the first one ends the stage and saves, the second one kills."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """Handles Ctrl-C.

    Arguments:
        say: Called with a message at the first Ctrl-C.

    Attributes:
        stopping: Whether Ctrl-C was pressed.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.stopping = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Inside this context, the first Ctrl-C sets `stopping`."""

        def stop(number: int, frame: FrameType | None) -> None:
            del number, frame
            self.stopping = True
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.say("Stopping after this step. Press Ctrl-C again to stop now, without saving.")

        try:
            before: Any = signal.signal(signal.SIGINT, stop)
        except ValueError:  # not the main thread, as in a notebook's worker
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
