"""The record of a stage while it trains: metrics.jsonl and the progress display."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from latentbloom.errors import CheckpointError
from latentbloom.runs.health import signs
from latentbloom.runs.metrics import read_metrics
from latentbloom.storage.files import reason_of
from latentbloom.train.budget import Budget
from latentbloom.train.processes import unwrap
from latentbloom.train.stage import Progress, Stage
from latentbloom.train.state import Position

if TYPE_CHECKING:
    from latentbloom.runs.metrics import MetricsLog
    from latentbloom.train.stepping.step import NotFiniteError


class Journal:
    """Records how far a stage is. A failure to record never ends the training.

    Arguments:
        stage: What is trained.
        budget: When it ends.
        log: Receives losses, scores and phases.
        display: Shows them to people.
    """

    def __init__(self, stage: Stage, budget: Budget, log: MetricsLog, display: Progress) -> None:
        self.stage = stage
        self.budget = budget
        self.log = log
        self.display = display
        self._said: set[str] = set()
        self._speed = 0.0  # images a second
        self._window = (0, 0.0)  # images and seconds at which it was last measured

    def say(self, text: str) -> None:
        """A line that stays on the display."""
        self.display.say(text)

    def forget_after(self, images: int) -> None:
        """Remove what this stage wrote after so many images; it will be written again."""
        self.guard("metrics", lambda: self.log.truncate_after(images, self.stage.name))

    def start_speed(self, images: int, seconds: float) -> None:
        """Measure the speed from here on."""
        self._speed, self._window = 0.0, (images, seconds)

    def measure_speed(self, images: int, seconds: float) -> None:
        """Measure the speed since the last measurement."""
        past_images, past_seconds = self._window
        self._speed = (images - past_images) / max(seconds - past_seconds, 1e-9)
        self._window = (images, seconds)

    def milestones(self, position: Position, seconds: float) -> None:
        """Announce the phases that have begun, each once."""
        progress = self.budget.progress(position.images, seconds)
        for start, words in self.stage.milestones[position.milestones :]:
            if progress < start:
                return
            position.milestones += 1
            self.display.say(f"{words} (after {position.images:,} images)")
            self._write("phase", position, seconds, {"name": words})

    def losses(self, position: Position, seconds: float, losses: Mapping[str, Tensor]) -> None:
        """Write and show the losses of the last step."""
        values = {name: float(value) for name, value in losses.items()}
        lr = self.stage.phases[0].optimizer.param_groups[0]["lr"]
        self._write(
            "train",
            position,
            seconds,
            {
                "images_per_second": self._speed,
                "lr": lr,
                "average_lag": self.stage.ema.lag(unwrap(self.stage.phases[0].module)),
            }
            | values,
        )
        progress = self.budget.progress(position.images, seconds)
        left = self.budget.seconds_left(progress, seconds)
        self.display.update(progress, position.images, self._speed, values, left)

    def scores(self, position: Position, seconds: float, scores: Mapping[str, float]) -> None:
        """Write the scores of a validation."""
        self._write("val", position, seconds, scores)
        self.guard("signs of health", self._say_signs)

    def not_finite(
        self, position: Position, seconds: float, found: NotFiniteError, rollbacks: int
    ) -> None:
        """Write what was not finite, at the place that training returned to."""
        values = {
            "name": f"rollback {rollbacks}: {found.what} of {found.phase}",
            "phase": found.phase,
            "what": found.what,
            "at_images": found.images,
            "pictures": found.pictures,
            "lr_scale": position.lr_scale,
        }
        self._write("not finite", position, seconds, values)

    def place(self, position: Position, seconds: float) -> dict[str, float]:
        """Where the stage is, as in every line of metrics.jsonl."""
        return {
            "images": position.images,
            "epoch": position.images / self.stage.num_images,
            "seconds": seconds,
            "progress": self.budget.progress(position.images, seconds),
        }

    def _say_signs(self) -> None:
        """Say what stands out in the records of this stage, each kind once."""
        if not self.log.enabled:
            return
        for sign in signs(read_metrics(self.log.path)):
            if sign.stage == self.stage.name and sign.name not in self._said:
                self._said.add(sign.name)
                self.display.say(str(sign))

    def guard(self, what: str, run: Callable[[], object]) -> None:
        """Run something that training does not depend on; report its first failure only.

        Raises:
            CheckpointError: A checkpoint could not be written; training must not continue.
        """
        try:
            run()
        except CheckpointError:
            raise
        except Exception as error:  # whatever it is, the training is worth more
            if what not in self._said:
                self._said.add(what)
                self.display.say(f"No {what}: {reason_of(error)}. Training continues.")

    def _write(
        self, kind: str, position: Position, seconds: float, values: Mapping[str, object]
    ) -> None:
        line = {**self.place(position, seconds), **values}
        self.guard("metrics", lambda: self.log.write(kind, self.stage.name, line))
