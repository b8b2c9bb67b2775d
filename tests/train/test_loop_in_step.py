"""Several processes stay in step: each takes part in the same collectives, in the same order.

No process is started here. The main process's loop runs first and what it puts into each collective
is recorded; then another process's loop runs, whose collectives are answered with the record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from accelerate import Accelerator

from latentbloom.config import TrainSettings
from latentbloom.runs.metrics import MetricsLog
from latentbloom.train.budget import Budget
from latentbloom.train.loop import Trainer
from latentbloom.train.state import Position
from toy_stage import SilentProgress, TickingClock, ToyStage


class Rank:
    """One process of two, as the loop sees accelerate's `Accelerator`.

    Arguments:
        index: Its number.
        heard: What the main process put into each collective, in order; None records.
    """

    num_processes = 2
    device = torch.device("cpu")

    def __init__(self, index: int, heard: list[torch.Tensor] | None = None) -> None:
        self.process_index = index
        self.is_main_process = index == 0
        self.heard = heard
        self.said: list[torch.Tensor] = []
        self.calls: list[str] = []

    def reduce(self, tensor: torch.Tensor, reduction: str = "sum") -> torch.Tensor:
        other = self._exchange("reduce", tensor)
        return tensor if other is None else tensor + other

    def wait_for_everyone(self) -> None:
        self._exchange("wait", torch.zeros(0))

    def _exchange(self, name: str, tensor: torch.Tensor) -> torch.Tensor | None:
        self.calls.append(f"{name} {tuple(tensor.shape)}")
        self.said.append(tensor.clone())
        if self.heard is None:
            return None
        assert len(self.said) <= len(self.heard), "the main process takes part in no more"
        return self.heard[len(self.said) - 1]

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def clip_grad_norm_(self, parameters: Any, bound: float) -> torch.Tensor:
        return torch.nn.utils.clip_grad_norm_(parameters, bound)


def train(rank: Rank, run: Path, clock: TickingClock, **settings: Any) -> Position:
    stop_at = settings.pop("stop_at", None)
    budget = settings.pop("budget")
    stage = ToyStage()
    trainer = Trainer(
        stage,
        budget,
        TrainSettings(**settings),
        cast(Accelerator, rank),
        run,
        MetricsLog(run / "metrics.jsonl", enabled=rank.is_main_process),
        SilentProgress(),
        should_stop=lambda: stop_at is not None and stage.batches >= stop_at,
        at_epoch=lambda before, after, position: clock.passes(0.7),
        at_preview=lambda: clock.passes(1.3),
        clock=clock,
    )
    return trainer.train()


@pytest.mark.parametrize("budget", [Budget(seconds=8.0), Budget(images=120)])
@pytest.mark.parametrize("pace", [0.7, 1.9])
def test_clocks_that_differ_change_nothing(tmp_path: Path, budget: Budget, pace: float) -> None:
    settings = {"checkpoint_seconds": 2.5, "preview_seconds": 3.0, "log_seconds": 0.5}
    main = Rank(0)
    first = train(main, tmp_path, TickingClock(0.05), budget=budget, **settings)
    other = Rank(1, heard=main.said)
    second = train(other, tmp_path, TickingClock(0.05 * pace), budget=budget, **settings)
    assert other.calls == main.calls
    assert first.done
    assert second.done
    assert (second.images, second.steps) == (first.images, first.steps)
