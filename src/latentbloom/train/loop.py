"""The one training loop. It knows phases, budgets and checkpoints, but no model."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from latentbloom.config import TrainSettings
from latentbloom.errors import TrainingError
from latentbloom.runs.checkpoint import checkpoint_exists
from latentbloom.train.budget import Budget
from latentbloom.train.journal import Journal
from latentbloom.train.pace import Moment, Pace
from latentbloom.train.processes import mean_of_logs, sum_over_processes
from latentbloom.train.stage import Progress, Stage
from latentbloom.train.state import Position, restore_stage, save_stage
from latentbloom.train.stepping.step import NotFiniteError, Stepper
from latentbloom.train.validation import Validation

if TYPE_CHECKING:
    from accelerate import Accelerator

    from latentbloom.runs.metrics import MetricsLog

MAX_ROLLBACKS = 3


class Trainer:
    """Trains one stage to the end of its budget, or until it is told to stop.

    With several processes, each runs this loop. They take the same steps and the same decisions,
    which the main process makes (see `latentbloom.train.pace`). It alone validates, writes and
    draws.

    Arguments:
        stage: What is trained.
        budget: When it ends.
        settings: Pace.
        accelerator: Device, precision and processes.
        run: The run folder.
        log: Receives losses, scores and phases.
        progress: The bar, or the plain lines.
        should_stop: Called after each step; True on any process ends the stage early, with a
            checkpoint.
        at_epoch: Called on the main process after a step that completes an epoch, with the complete
            epochs before and after the step, and the position.
        at_preview: Called on the main process every `preview_seconds`.
        clock: Seconds, increasing.

    A callback that raises is reported once, and training continues. A checkpoint that cannot be
    written ends training.
    """

    def __init__(
        self,
        stage: Stage,
        budget: Budget,
        settings: TrainSettings,
        accelerator: Accelerator,
        run: Path,
        log: MetricsLog,
        progress: Progress,
        should_stop: Callable[[], bool] = lambda: False,
        at_epoch: Callable[[int, int, Position], None] | None = None,
        at_preview: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stage = stage
        self.budget = budget
        self.settings = settings
        self.accelerator = accelerator
        self.run = run
        self.journal = Journal(stage, budget, log, progress)
        self.at_epoch = at_epoch
        self.at_preview = at_preview
        self.pace = Pace(settings, accelerator, should_stop, clock)
        self.validation = Validation(stage, budget, run, self.pace, self.journal)
        self.stepper = Stepper(stage, settings, accelerator, self.journal.say)
        self.position = Position()
        self.rollbacks = 0

    @property
    def last(self) -> Path:
        """The checkpoint from which this stage resumes."""
        return self.run / f"{self.stage.folder}_last"

    def train(self) -> Position:
        """Train; resume where `last` exists.

        Returns:
            The position; `done` is False when it was told to stop.

        Raises:
            CheckpointError: A checkpoint cannot be read or written.
            TrainingError: The loss stays not finite after several rollbacks, or memory does not
                hold a single picture.
        """
        main = self.accelerator.is_main_process
        # Asked on one process: another may look when the first has already saved.
        found = main and checkpoint_exists(self.last)
        resumes = sum_over_processes(self.accelerator, [float(found)])[0] > 0
        if resumes:
            self.position = restore_stage(self.stage, self.last)
            self.journal.forget_after(self.position.images)
        self.pace.start(self.position.seconds)
        if self.position.done and self._progress(self.position.seconds) >= 1.0:
            return self.position
        if not resumes:
            self.save()
        while True:
            try:
                self._train_until_end()
            except NotFiniteError as error:
                self._roll_back(error)
                continue
            self.save()
            return self.position

    def _train_until_end(self) -> None:
        position, epochs = self.position, 0
        losses: dict[str, torch.Tensor] | None = None
        self.pace.restart()
        self.journal.start_speed(position.images, self.pace.seconds())
        while True:
            moment = self.pace.moment()
            if losses is not None and self._do_what_is_due(moment, epochs, losses):
                moment = self.pace.moment()  # it took time
            progress = self._progress(moment.seconds)
            self.journal.milestones(position, moment.seconds)
            position.done = progress >= 1.0
            if position.done or moment.stop:
                if losses:
                    shared = mean_of_logs(self.accelerator, losses)
                    self.journal.losses(position, moment.seconds, shared)
                return
            epochs = position.images // self.stage.num_images
            losses = self.step(progress)

    def step(self, progress: float) -> dict[str, torch.Tensor]:
        """One step of every phase that is due.

        Returns:
            What the phases log, as scalars.

        Raises:
            NotFiniteError: Before any weight is changed.
            TrainingError: There is not enough memory for a single picture.
        """
        return self.stepper.step(self.position, progress)

    def save(self) -> None:
        """Write the checkpoint to resume from. A collective."""
        main = self.accelerator.is_main_process
        if main:
            self.position.seconds = self.pace.seconds()
        save_stage(self.stage, self.position, self.last, write=main)
        if main:
            self.pace.saved()
        self.accelerator.wait_for_everyone()

    def _do_what_is_due(self, moment: Moment, epochs: int, losses: dict[str, torch.Tensor]) -> bool:
        """After a step: validate, end epochs, report, save and preview; whether any was due.

        Arguments:
            moment: What all processes agreed on after the step.
            epochs: Epochs that were complete before the step.
            losses: What the step logged.
        """
        position, main = self.position, self.accelerator.is_main_process
        validate = self.validation.is_due(position, moment)
        epochs_now = position.images // self.stage.num_images
        ends_epoch = self.at_epoch is not None and epochs_now > epochs
        if validate or ends_epoch or moment.preview:
            self.stage.ema.gather()
        if main and validate:
            self.validation.run(position)
        if main and ends_epoch:
            position.seconds = self.pace.seconds()
            self._call("pictures of an epoch", self.at_epoch, epochs, epochs_now, position)
        if moment.report:
            shared = mean_of_logs(self.accelerator, losses)
            now = self.pace.seconds()
            self.journal.measure_speed(position.images, now)
            if main:
                self.journal.losses(position, now, shared)
            self.pace.reported(now)
        if moment.save:
            self.save()
        if main and moment.preview:
            self._call("preview", self.at_preview)
            self.pace.previewed()
        return validate or ends_epoch or moment.report or moment.save or moment.preview

    def _roll_back(self, found: NotFiniteError) -> None:
        self.rollbacks += 1
        position = self.position
        if self.rollbacks > MAX_ROLLBACKS:
            raise TrainingError(
                f"Not finite: {found}, and again after {MAX_ROLLBACKS} returns to the last good "
                f"checkpoint with a smaller learning rate. {self.last} is intact; try --train."
                "precision fp32 or a smaller learning rate."
            )
        self.position = restore_stage(self.stage, self.last)
        self.position.lr_scale = position.lr_scale / 2
        self.position.parts = position.parts
        self.journal.forget_after(self.position.images)
        self.journal.not_finite(self.position, self.pace.seconds(), found, self.rollbacks)
        self.journal.say(
            f"Not finite: {found}. Back to the checkpoint after {self.position.images:,} images, "
            f"learning rate times {self.position.lr_scale:g}."
        )

    def _call(self, what: str, callback: Callable[..., object] | None, *arguments: object) -> None:
        if callback is not None:
            self.journal.guard(what, lambda: callback(*arguments))

    def _progress(self, seconds: float) -> float:
        return self.budget.progress(self.position.images, seconds)
