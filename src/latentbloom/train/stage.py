"""What the loop trains: a stage is a list of phases over one kind of batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from latentbloom.train.ema import Average

Batch = dict[str, Any]
ALL = slice(None)
LossFunction = Callable[[Batch, float], tuple[Tensor, dict[str, Tensor]]]


@dataclass
class Phase:
    """One optimiser's part of a step.

    Arguments:
        name: For messages and file names, for example "autoencoder".
        module: What is trained.
        optimizer: Its optimiser; the loop scales the learning rates it was made with.
        loss: Called with the batch and the progress; returns a scalar and what to log. It may add
            entries to the batch for the phases after it.
        start: Progress from which the phase takes part.
        every: It runs each `every`-th step.
        clip: Upper bound of the gradient's norm.
    """

    name: str
    module: nn.Module
    optimizer: Optimizer
    loss: LossFunction
    start: float = 0.0
    every: int = 1
    clip: float = 1.0
    lrs: list[float] = field(init=False)  # peak learning rate of each group

    def __post_init__(self) -> None:
        self.lrs = [group["lr"] for group in self.optimizer.param_groups]


class Stage(Protocol):
    """A model in training, as the loop sees it."""

    name: str
    folder: str  # prefix of the checkpoints' names
    phases: list[Phase]
    ema: Average  # of the first phase's module
    num_images: int  # in one epoch
    batch_size: int  # over all processes
    weights: Tensor | None  # sampling weight of each picture; None shows each once an epoch
    milestones: list[tuple[float, str]]  # (progress, name of the phase that begins)
    snapshots: dict[str, nn.Module]  # earlier averages; checkpoints hold them

    def batch(self, indices: list[int], rows: slice = ALL) -> Batch:
        """Some rows of a batch, on the device.

        Random numbers are drawn for the whole batch, whichever rows are wanted.

        Arguments:
            indices: The pictures, or latents, of the whole batch.
            rows: Which of them to return: those of this process.
        """
        ...

    def validate(self) -> tuple[dict[str, float], float]:
        """Scores of the averaged weights, and one value, lower is better, that picks the best."""
        ...

    def meta(self) -> dict[str, Any]:
        """What a checkpoint stores beside its tensors, as JSON."""
        ...


class Progress(Protocol):
    """Shows people how far the loop is."""

    def update(
        self,
        progress: float,
        images: int,
        images_per_second: float,
        losses: Mapping[str, float],
        seconds_left: float | None,
    ) -> None:
        """Show how far the stage is: share done, images seen, speed, losses, seconds left."""
        ...

    def say(self, text: str) -> None:
        """A line that stays."""
        ...
