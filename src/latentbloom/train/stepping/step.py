"""One step of every phase that is due: first all gradients, then all weights."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentbloom.config import TrainSettings
from latentbloom.errors import TrainingError
from latentbloom.train.budget import learning_rate_factor
from latentbloom.train.processes import everyone, unwrap
from latentbloom.train.stage import Batch, Phase, Stage
from latentbloom.train.state import Position
from latentbloom.train.stepping.batches import Batches
from latentbloom.train.stepping.parts import is_out_of_memory, rows_of, split_batch
from latentbloom.train.stepping.sharding import whole

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass
class NotFiniteError(Exception):
    """A loss or a gradient is not finite; no weight was changed in this step.

    Attributes:
        phase: Whose it is.
        what: "loss" or "gradient".
        images: Images seen before the step.
        pictures: Indices of the batch.
    """

    phase: str
    what: str
    images: int
    pictures: list[int]

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.pictures[:4]))
        more = len(self.pictures) - 4
        rest = f" and {more} more" if more > 0 else ""
        return (
            f"the {self.phase}'s {self.what} after {self.images:,} images (batch of pictures "
            f"{shown}{rest})"
        )


class Stepper:
    """Takes the steps of a stage.

    Where memory runs out, the batch is split in halves, quarters and so on, whose gradients are
    added: the mean over the same pictures, with the same noise. What a loss measures on a batch as
    a whole, such as the spread of a class, it then measures on each part.

    Arguments:
        stage: What is trained.
        settings: Seed and learning rates.
        accelerator: Device, precision and processes.
        say: Receives a sentence when a batch is split.
    """

    def __init__(
        self,
        stage: Stage,
        settings: TrainSettings,
        accelerator: Accelerator,
        say: Callable[[str], object],
    ) -> None:
        self.stage = stage
        self.settings = settings
        self.accelerator = accelerator
        self.say = say
        rank, world = accelerator.process_index, accelerator.num_processes
        ahead = accelerator.device.type == "cuda"
        self.batches = Batches(stage, settings.seed, rank, world, ahead=ahead)

    def step(self, position: Position, progress: float) -> dict[str, Tensor]:
        """One step; moves the position.

        Returns:
            What the phases log, as scalars.

        Raises:
            NotFiniteError: Before any weight is changed.
            TrainingError: Memory does not hold the gradient of a single picture.
        """
        stage = self.stage
        due = [p for p in stage.phases if progress >= p.start and position.steps % p.every == 0]
        while True:
            try:
                logs = self._gradients(due, position, progress)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                refusal = self._refusal(error, position)
            else:
                break
            # Outside of the handler, so that nothing holds the tensors of the failed step.
            self._split(refusal, position)
        for phase in due:
            phase.optimizer.step()
        position.steps += 1
        position.images += stage.batch_size
        stage.ema.update_parameters(unwrap(stage.phases[0].module))
        return logs

    def _gradients(
        self, due: list[Phase], position: Position, progress: float
    ) -> dict[str, Tensor]:
        stage, world = self.stage, self.accelerator.num_processes
        rank = self.accelerator.process_index
        batch = self.batches.start(position.images)
        everything = self.batches.indices(position.images)
        indices = everything[rank::world]
        parts = split_batch(batch, min(position.parts, rows_of(batch)))
        # Gradients are averaged over processes, which may differ by a row.
        weight = len(indices) * world / len(everything)
        factor = learning_rate_factor(
            progress, self.settings.warmup_share, self.settings.decay_start
        )
        logs: dict[str, Tensor] = {}
        for phase in due:
            for group, lr in zip(phase.optimizer.param_groups, phase.lrs, strict=True):
                group["lr"] = lr * factor * position.lr_scale
            phase.module.train()
            phase.optimizer.zero_grad(set_to_none=True)
            loss, found = self._backward(phase, parts, progress, weight)
            logs |= found
            norm = self.accelerator.clip_grad_norm_(phase.module.parameters(), phase.clip)
            if phase is due[-1]:  # before the first number of it is waited for
                self.batches.prepare(position.images + stage.batch_size)
            good_loss = bool(torch.isfinite(loss))
            finite = good_loss and bool(torch.isfinite(whole(torch.as_tensor(norm))))
            if not everyone(self.accelerator, finite):
                what = "gradient" if good_loss else "loss"
                raise NotFiniteError(phase.name, what, position.images, indices)
        return logs

    def _backward(
        self, phase: Phase, parts: list[Batch], progress: float, weight: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Add up the gradients of all parts; returns the loss and what to log, over the batch."""
        if len(parts) == 1 and weight == 1.0:
            loss, logs = phase.loss(parts[0], progress)
            self.accelerator.backward(loss)
            return loss.detach(), logs
        rows = [rows_of(part) for part in parts]
        total, mean = torch.zeros(()), dict[str, Tensor]()
        for part, count in zip(parts, rows, strict=True):
            share = weight * count / sum(rows)
            loss, logs = phase.loss(part, progress)
            self.accelerator.backward(loss * share)
            total = total + share * loss.detach().cpu()
            for name, value in logs.items():
                mean[name] = mean.get(name, 0.0) + share * value
        return total, mean

    def _refusal(self, error: BaseException, position: Position) -> str:
        """Why the batch cannot be split any further; empty where it can."""
        size = self.stage.batch_size // self.accelerator.num_processes
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if self.accelerator.num_processes > 1:
            return (
                f"Process {self.accelerator.process_index} has not enough memory for {size} "
                f"pictures ({why}). Set a smaller batch size, or start fewer processes on one "
                "machine."
            )
        if position.parts >= size:
            return (
                f"There is not enough memory for a single picture ({why}). The last checkpoint is "
                "intact. Close other programs, or begin a run with smaller networks or pictures."
            )
        return ""

    def _split(self, refusal: str, position: Position) -> None:
        self.batches.forget()
        for phase in self.stage.phases:
            phase.optimizer.zero_grad(set_to_none=True)
        gc.collect()
        if self.accelerator.device.type == "cuda":
            torch.cuda.empty_cache()
        if refusal:
            raise TrainingError(refusal)
        size = self.stage.batch_size
        position.parts = min(2 * position.parts, size)
        self.say(
            f"Not enough memory for the gradient of {-(-2 * size // position.parts)} pictures at "
            f"once. Batches of {size} are computed in {position.parts} parts from here on, whose "
            "gradients are added."
        )
