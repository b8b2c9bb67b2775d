"""One thread while other programs use the machine, all threads while they do not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from latentbloom.config import TrainSettings

CHECK_SECONDS = 3.0
BUSY_CORES = 0.5  # that other programs use, from which on one thread trains
IDLE_CORES = 0.2  # below which all threads train again


class Reading(NamedTuple):
    """The clock, and seconds of all cores that everybody and that this process have used."""

    clock: float
    every: float
    own: float


class OtherPrograms:
    """How many cores other programs have used since the last call.

    Arguments:
        read: Reads the machine; default by psutil.
    """

    def __init__(self, read: Callable[[], Reading] | None = None) -> None:
        self._read = read or _read_machine()
        self._last = self._read()

    def __call__(self) -> float:
        """Cores on average, 0 or more; 0 where no time has passed."""
        before, self._last = self._last, self._read()
        seconds = self._last.clock - before.clock
        every, own = self._last.every - before.every, self._last.own - before.own
        return max(0.0, (every - own) / seconds) if seconds > 0 else 0.0


class FairShare:
    """Changes the number of threads that train, a few seconds after other programs come or go.

    Two threads wait for each other thousands of times a step. Where a third program has one of
    the two cores, each wait costs a time slice, and two threads are several times slower than one.

    Arguments:
        threads: That train while the machine is free.
        cores_of_others: Cores that other programs have used since it was last asked.
        say: Receives a remark the first time that one thread takes over.
        clock: Seconds, increasing.
    """

    def __init__(
        self,
        threads: int,
        *,
        cores_of_others: Callable[[], float],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.threads = threads
        self.cores_of_others = cores_of_others
        self.say = say
        self.clock = clock
        self._next = clock() + CHECK_SECONDS
        self._said = False

    def look(self) -> None:
        """Call this after each step; every few seconds it looks at the machine."""
        if self.clock() < self._next:
            return
        self._next = self.clock() + CHECK_SECONDS
        others = self.cores_of_others()
        if others > BUSY_CORES and torch.get_num_threads() > 1:
            torch.set_num_threads(1)
            if not self._said:
                self._said = True
                self.say(
                    f"Other programs use {others:.1f} cores: training continues with one thread, "
                    "and with more once they stop."
                )
        elif others < IDLE_CORES and torch.get_num_threads() < self.threads:
            torch.set_num_threads(self.threads)


def fair_share_of(train: TrainSettings, say: Callable[[str], None]) -> FairShare | None:
    """What watches the machine in a run with minutes and several threads; None in other runs.

    A run that is counted in images must be repeatable, so its threads never change.
    """
    if train.minutes is None or (train.threads or 1) == 1:
        return None
    return FairShare(train.threads or 1, cores_of_others=OtherPrograms(), say=say)


def _read_machine() -> Callable[[], Reading]:
    import psutil

    process = psutil.Process()

    def read() -> Reading:
        times = psutil.cpu_times()
        unused = sum(getattr(times, name, 0.0) for name in ("idle", "iowait", "steal", "guest"))
        own = process.cpu_times()
        return Reading(time.monotonic(), sum(times) - unused, own.user + own.system)

    return read
