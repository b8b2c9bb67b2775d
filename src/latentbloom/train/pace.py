"""When a stage reports, saves, previews and stops: decided once a step, the same everywhere.

Each process has a clock of its own. If each decided by its own clock, they would sometimes decide
differently, and one would wait forever in a collective that the others never join. So the main
process decides, and one small message a step tells the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentbloom.config import TrainSettings
from latentbloom.train.processes import sum_over_processes

if TYPE_CHECKING:
    from accelerate import Accelerator


VALIDATION_SHARE = 0.1
"""Share of a stage's seconds that validation may take where the budget is in seconds."""


@dataclass(frozen=True)
class Moment:
    """What all processes know after a step.

    Attributes:
        seconds: Seconds that the stage has taken, earlier calls included.
        stop: Some process was asked to stop.
        report: A line of losses is due.
        save: A checkpoint is due.
        preview: A preview is due.
        validated_enough: Validation has taken more than its share of the time.
    """

    seconds: float
    stop: bool
    report: bool
    save: bool
    preview: bool
    validated_enough: bool


class Pace:
    """The clock of a stage, and what is due by it.

    Arguments:
        settings: Seconds between reports, checkpoints and previews.
        accelerator: The processes.
        should_stop: Whether this process was asked to stop.
        clock: Seconds, increasing.
    """

    def __init__(
        self,
        settings: TrainSettings,
        accelerator: Accelerator,
        should_stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.accelerator = accelerator
        self.should_stop = should_stop
        self.clock = clock
        self.start(0.0)

    def start(self, seconds: float) -> None:
        """Start the clock of a stage that has already taken so many seconds."""
        self._zero = self.clock() - seconds
        self._validation_seconds = 0.0
        self.restart()

    def restart(self) -> None:
        """Start counting: a report is due now, a checkpoint and a preview after their full time."""
        self._next_report = self.seconds()
        self.saved()
        self.previewed()

    def seconds(self) -> float:
        """Seconds that the stage has taken, by this process's clock."""
        return self.clock() - self._zero

    def moment(self) -> Moment:
        """What all processes agree on now. A collective."""
        now = self.seconds()
        mine = [0.0] * 5
        if self.accelerator.is_main_process:
            mine = [
                now,
                now >= self._next_report,
                now >= self._next_save,
                now >= self._next_preview,
                self._validation_seconds > VALIDATION_SHARE * now,
            ]
        seconds, report, save, preview, enough, stop = sum_over_processes(
            self.accelerator, [*mine, self.should_stop()]
        )
        return Moment(seconds, stop > 0, report > 0, save > 0, preview > 0, enough > 0)

    def reported(self, at: float) -> None:
        """A line of losses was written, at so many seconds."""
        self._next_report = at + self.settings.log_seconds

    def saved(self) -> None:
        """A checkpoint was just written."""
        self._next_save = self.seconds() + self.settings.checkpoint_seconds

    def previewed(self) -> None:
        """A preview was just made."""
        self._next_preview = self.seconds() + self.settings.preview_seconds

    @contextmanager
    def validating(self) -> Iterator[None]:
        """Time inside this context counts as validation."""
        began = self.clock()
        yield
        self._validation_seconds += self.clock() - began
