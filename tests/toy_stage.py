"""A stage of training that costs nothing: one layer learns a straight line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from latentbloom.train.ema import Average
from latentbloom.train.stage import ALL, Batch, Phase

if TYPE_CHECKING:
    from accelerate import Accelerator


class TickingClock:
    """Seconds that pass with each look at the clock, and when they are told to.

    Arguments:
        tick: Seconds from one look to the next.
    """

    def __init__(self, tick: float = 0.0) -> None:
        self.now = 100.0
        self.tick = tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


class SilentProgress:
    """A progress display that keeps what it is told to say."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def update(
        self,
        progress: float,
        images: int,
        images_per_second: float,
        losses: Mapping[str, float],
        seconds_left: float | None,
    ) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        self.lines.append(text)


class ToyStage:
    """A stage with two phases; see `latentbloom.train.stage.Stage`.

    Arguments:
        accelerator: Device, precision and processes; None leaves the layers as they are.
    """

    name = "toy"
    folder = "toy"
    num_images = 40
    batch_size = 4
    weights: Tensor | None = None

    def __init__(self, accelerator: Accelerator | None = None) -> None:
        torch.manual_seed(0)
        self.accelerator = accelerator
        self.model, self.rival = nn.Linear(2, 1), nn.Linear(2, 1)
        self.snapshots: dict[str, nn.Module] = {}
        self.ema = Average(self.model, 0.05)
        self.phases = [
            self._phase("model", self.model),
            self._phase("rival", self.rival, start=0.5),
        ]
        self.milestones = [(0.0, "beginning"), (0.3, "middle"), (0.5, "rival")]
        self.batches = 0
        self.validations = 0

    def _phase(self, name: str, module: nn.Module, start: float = 0.0) -> Phase:
        optimizer: torch.optim.Optimizer = torch.optim.SGD(module.parameters(), 0.1)
        if self.accelerator is not None:
            module, optimizer = self.accelerator.prepare(module, optimizer)

        def loss(batch: Batch, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
            error = (module(batch["x"]).squeeze(1) - batch["y"]).square().mean()
            return error, {name: error.detach()}

        return Phase(name, module, optimizer, loss, start=start)

    def batch(self, indices: list[int], rows: slice = ALL) -> Batch:
        indices = indices[rows]
        self.batches += 1
        x = torch.tensor([[i / self.num_images, 1.0] for i in indices])
        return {"x": x, "y": 3.0 * x[:, 0] - 1.0}

    def validate(self) -> tuple[dict[str, float], float]:
        self.validations += 1
        averaged = self.ema.module.state_dict()["weight"]
        badness = float((averaged - torch.tensor([[3.0, 0.0]])).norm())
        return {"badness": badness}, badness

    def meta(self) -> dict[str, Any]:
        return {}
