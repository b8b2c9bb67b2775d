"""The one training loop. It knows phases, budgets and checkpoints, but no model."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from latentbloom.config import TrainSettings
from latentbloom.errors import TrainingError
from latentbloom.runs.checkpoint import checkpoint_exists, save_checkpoint
from latentbloom.train.budget import Budget, learning_rate_factor
from latentbloom.train.order import Order, seed_step
from latentbloom.train.stage import Batch, Phase, Progress, Stage
from latentbloom.train.state import Position, restore_stage, save_stage, unwrap

if TYPE_CHECKING:
    from accelerate import Accelerator

    from latentbloom.device import Alone
    from latentbloom.runs.metrics import MetricsLog

MAX_ROLLBACKS = 3
NUM_VALIDATIONS = 10
VALIDATION_SHARE = 0.1  # of a budget in seconds; with one in images every validation takes place


class NonFiniteLossError(Exception):
    """A loss or a gradient is not finite; the loop rolls back."""


class Trainer:
    """Trains one stage to the end of its budget, or until it is told to stop.

    Arguments:
        stage: What is trained.
        budget: When it ends.
        settings: Pace.
        accelerator: Device, precision and processes.
        run: The run folder.
        log: Receives a line of numbers now and then.
        progress: The bar, or the plain lines.
        should_stop: Asked after each step; True ends the stage early, saved.
        at_epoch: Called on the main process after a step that completes an epoch, with the epochs
            that were complete before it and are now, and the position.
        at_preview: Called on the main process every `preview_seconds`.
        clock: Seconds, growing.
    """

    def __init__(
        self,
        stage: Stage,
        budget: Budget,
        settings: TrainSettings,
        accelerator: Accelerator | Alone,
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
        self.log = log
        self.bar = progress
        self.should_stop = should_stop
        self.at_epoch = at_epoch
        self.at_preview = at_preview
        self.clock = clock
        self.order = Order(stage.num_images, settings.seed, stage.weights)
        self.position = Position()
        self.rollbacks = 0
        self._started = 0.0
        self._validating = 0.0  # seconds

    @property
    def last(self) -> Path:
        """The checkpoint from which this stage resumes."""
        return self.run / f"{self.stage.folder}_last"

    def train(self) -> Position:
        """Train; resume where `last` exists.

        Returns:
            The position; `done` is False when it was told to stop.

        Raises:
            TrainingError: The loss stays not finite after several rollbacks.
        """
        if checkpoint_exists(self.last):
            self.position = restore_stage(self.stage, self.last)
            self.log.truncate_after(self.position.images, self.stage.name)
        self._start_clock()
        if self.position.done and self._progress() >= 1.0:
            return self.position
        if not checkpoint_exists(self.last):
            self.save()
        while True:
            try:
                self._train_until_end()
            except NonFiniteLossError as error:
                self._roll_back(str(error))
                continue
            self.save()
            return self.position

    def _train_until_end(self) -> None:
        now = self._seconds()
        next_log, next_save = now, now + self.settings.checkpoint_seconds
        next_preview = now + self.settings.preview_seconds
        window_images, window_seconds = self.position.images, now
        speed = 0.0
        logs: dict[str, torch.Tensor] = {}
        while True:
            progress = self._progress()
            self._pass_milestones(progress)
            self.position.done = progress >= 1.0
            if self.position.done or self.should_stop():
                if logs:
                    self._report(logs, speed)
                return
            epochs = self.position.images // self.stage.num_images
            logs = self.step(progress)
            self._maybe_validate()
            self._end_epochs(epochs)
            now = self._seconds()
            if now >= next_log:
                speed = (self.position.images - window_images) / max(now - window_seconds, 1e-9)
                window_images, window_seconds = self.position.images, now
                self._report(logs, speed)
                next_log = now + self.settings.log_seconds
            if now >= next_save:
                self.save()
                next_save = self._seconds() + self.settings.checkpoint_seconds
            if now >= next_preview and self.accelerator.is_main_process:
                if self.at_preview is not None:
                    self.at_preview()
                next_preview = self._seconds() + self.settings.preview_seconds

    def step(self, progress: float) -> dict[str, torch.Tensor]:
        """One step of every phase that is due.

        Returns:
            What the phases log, as scalars.

        Raises:
            NonFiniteLossError: Before any weight of the phase is changed.
        """
        stage, position = self.stage, self.position
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        seed_step(stage.name, self.settings.seed, rank, position.images)
        indices = self.order.indices(position.images, stage.batch_size)[rank::world]
        batch = stage.batch(indices)
        logs: dict[str, torch.Tensor] = {}
        for phase in stage.phases:
            if progress >= phase.start and position.steps % phase.every == 0:
                logs |= self._phase_step(phase, batch, progress)
        position.steps += 1
        position.images += stage.batch_size
        stage.ema.update(unwrap(stage.phases[0].module), position.steps)
        return logs

    def _phase_step(self, phase: Phase, batch: Batch, progress: float) -> dict[str, torch.Tensor]:
        factor = learning_rate_factor(
            progress, self.settings.warmup_share, self.settings.decay_start
        )
        for group, lr in zip(phase.optimizer.param_groups, phase.lrs, strict=True):
            group["lr"] = lr * factor * self.position.lr_scale
        phase.module.train()
        loss, logs = phase.loss(batch, progress)
        phase.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(phase.module.parameters(), phase.clip)
        finite = torch.isfinite(loss.detach()) & torch.isfinite(torch.as_tensor(norm))
        if not self._everyone(bool(finite)):
            raise NonFiniteLossError(f"the {phase.name} loss after {self.position.images} images")
        phase.optimizer.step()
        return logs

    def save(self) -> None:
        """Write the checkpoint to resume from."""
        self.position.seconds = self._seconds()
        self._start_clock()
        if self.accelerator.is_main_process:
            save_stage(self.stage, self.position, self.last)
        self.accelerator.wait_for_everyone()

    def _end_epochs(self, before: int) -> None:
        now = self.position.images // self.stage.num_images
        if self.at_epoch is None or now == before:
            return
        if self.accelerator.is_main_process:
            self.position.seconds = self._seconds()
            self._start_clock()
            self.at_epoch(before, now, self.position)
        self.accelerator.wait_for_everyone()

    def _maybe_validate(self) -> None:
        due = int(self._progress() * NUM_VALIDATIONS)
        if due <= self.position.validations:
            return
        self.position.validations = due
        if self.budget.seconds is not None and due < NUM_VALIDATIONS:
            costly = self._validating > VALIDATION_SHARE * self._seconds()
            if self._everyone(costly):
                return
        began = self.clock()
        scores, badness = self.stage.validate()
        self._validating += self.clock() - began
        self.log.write("val", self.stage.name, self._place() | scores)
        if self.position.best is None or badness < self.position.best:
            self.position.best = badness
            if self.accelerator.is_main_process:
                save_checkpoint(
                    self.run / f"{self.stage.folder}_best",
                    {"model": self.stage.ema.state_dict()},
                    {"stage": self.stage.name, **self._place(), **scores, **self.stage.meta()},
                )

    def _pass_milestones(self, progress: float) -> None:
        for start, words in self.stage.milestones[self.position.milestones :]:
            if progress < start:
                return
            self.position.milestones += 1
            self.bar.say(f"{words} (after {self.position.images:,} images)")
            self.log.write("phase", self.stage.name, self._place() | {"name": words})

    def _roll_back(self, where: str) -> None:
        self.rollbacks += 1
        if self.rollbacks > MAX_ROLLBACKS:
            raise TrainingError(
                f"Not finite: {where}, and again after {MAX_ROLLBACKS} returns to the last good "
                f"checkpoint with a smaller learning rate. {self.last} is intact; try --train."
                "precision fp32 or a smaller learning rate."
            )
        scale = self.position.lr_scale / 2
        seconds = self._seconds()
        self.position = restore_stage(self.stage, self.last)
        self.position.lr_scale = scale
        self.position.seconds = seconds
        self._start_clock()
        self.log.truncate_after(self.position.images, self.stage.name)
        self.bar.say(
            f"Not finite: {where}. Back to the checkpoint after {self.position.images:,} images, "
            f"learning rate times {scale:g}."
        )

    def _report(self, logs: dict[str, torch.Tensor], speed: float) -> None:
        numbers = {name: float(value) for name, value in logs.items()}
        progress = self._progress()
        lr = self.stage.phases[0].optimizer.param_groups[0]["lr"]
        self.log.write(
            "train",
            self.stage.name,
            self._place() | {"images_per_second": speed, "lr": lr} | numbers,
        )
        left = self.budget.seconds_left(progress, self._seconds())
        self.bar.update(progress, self.position.images, speed, numbers, left)

    def _place(self) -> dict[str, float]:
        return {
            "images": self.position.images,
            "epoch": self.position.images / self.stage.num_images,
            "seconds": self._seconds(),
            "progress": self._progress(),
        }

    def _progress(self) -> float:
        progress = self.budget.progress(self.position.images, self._seconds())
        if self.budget.seconds is None or self.accelerator.num_processes == 1:
            return progress
        from accelerate.utils import broadcast  # the first process's clock is everybody's

        return float(broadcast(torch.tensor(progress, device=self.accelerator.device)))

    def _everyone(self, ok: bool) -> bool:
        if self.accelerator.num_processes == 1:
            return ok
        count = torch.tensor(float(ok), device=self.accelerator.device)
        return float(self.accelerator.reduce(count)) == self.accelerator.num_processes

    def _start_clock(self) -> None:
        self._started = self.clock()

    def _seconds(self) -> float:
        return self.position.seconds + self.clock() - self._started
