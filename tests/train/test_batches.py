"""Batches that are prepared while a step is computed are those that the next step would have made.

A GPU would be needed to see that this saves time. Here it is switched on where there is none.
"""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor

from latentbloom.config import TrainSettings
from latentbloom.device import sent
from latentbloom.train.stage import ALL, Batch
from latentbloom.train.state import Position
from latentbloom.train.stepping import step as step_module
from latentbloom.train.stepping.batches import Batches
from latentbloom.train.stepping.step import Stepper
from toy_stage import ToyStage


class NoisyStage(ToyStage):
    """Its batches and its losses draw random numbers, as those of real stages do."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[list[int]] = []
        for phase in self.phases:
            phase.loss = self._noisy(phase.loss)

    def _noisy(self, plain: Any) -> Any:
        def loss(batch: Batch, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
            found, logs = plain(batch, progress)
            return found * (1.0 + torch.rand(())), logs

        return loss

    def batch(self, indices: list[int], rows: slice = ALL) -> Batch:
        self.made.append(indices)
        batch = super().batch(indices, rows)
        return batch | {"x": batch["x"] + torch.randn(batch["x"].shape)}


class Alone:
    """One process, as the stepper sees accelerate's `Accelerator`."""

    num_processes = 1
    process_index = 0

    def __init__(self, kind: str = "cpu") -> None:
        self.device = torch.device(kind)

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def clip_grad_norm_(self, parameters: Any, bound: float) -> Tensor:
        return torch.nn.utils.clip_grad_norm_(parameters, bound)


def stepper_of(stage: NoisyStage, *, ahead: bool) -> Stepper:
    stepper = Stepper(stage, TrainSettings(), cast(Any, Alone()), print)
    stepper.batches = Batches(stage, 0, 0, 1, ahead=ahead)
    return stepper


def trained(ahead: bool) -> tuple[NoisyStage, list[Tensor]]:
    stage = NoisyStage()
    stepper, position = stepper_of(stage, ahead=ahead), Position()
    found: list[Tensor] = []
    for k in range(25):  # more than two epochs, and a second phase from the middle on
        logs = stepper.step(position, k / 25)
        found += [*logs.values(), torch.rand(2)]
    return stage, [*found, *stage.model.state_dict().values(), *stage.rival.state_dict().values()]


def test_the_same_bits_as_without() -> None:
    plain, expected = trained(ahead=False)
    early, found = trained(ahead=True)

    assert all(map(torch.equal, found, expected))
    assert early.made == [*plain.made, early.made[-1]]  # one is prepared and never used


def test_a_batch_is_ready_before_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = NoisyStage()
    stepper, position = stepper_of(stage, ahead=True), Position()
    stepper.step(position, 0.0)
    assert len(stage.made) == 2
    before = torch.get_rng_state()

    stepper.batches.prepare(position.images)

    assert torch.equal(torch.get_rng_state(), before)
    count = len(stage.made)
    stepper.batches.start(position.images)
    assert len(stage.made) == count


def test_after_a_rollback_another_batch_is_made() -> None:
    stage = NoisyStage()
    batches, again = (Batches(stage, 0, 0, 1, ahead=ahead) for ahead in (True, False))
    batches.prepare(8)

    other = batches.start(4)

    assert torch.equal(other["x"], again.start(4)["x"])
    batches.prepare(8)
    batches.forget()
    batches.start(8)
    assert stage.made.count(stage.made[-1]) == 3  # prepared twice, never used


def test_only_a_gpu_prepares(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead: list[bool] = []
    monkeypatch.setattr(
        step_module, "Batches", lambda *_, **options: ahead.append(options["ahead"])
    )
    for kind in ("cpu", "cuda"):
        accelerator = Alone()
        accelerator.device = torch.device(kind)
        Stepper(NoisyStage(), TrainSettings(), cast(Any, accelerator), print)

    assert ahead == [False, True]


def test_a_gpu_is_sent_pinned_memory_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def pin(tensor: Tensor) -> Tensor:
        calls.append("pinned")
        return tensor

    def to(tensor: Tensor, *args: Any, **options: Any) -> Tensor:
        calls.append((*args, options))
        return tensor

    x = torch.zeros(2, 3, 4, 4)
    assert sent(x, torch.device("cpu"), torch.channels_last).is_contiguous(
        memory_format=torch.channels_last
    )
    assert sent(x, torch.device("cpu")) is x
    monkeypatch.setattr(Tensor, "pin_memory", pin)
    monkeypatch.setattr(Tensor, "to", to)

    sent(x, torch.device("cuda", 0), torch.channels_last)

    wanted = {"non_blocking": True, "memory_format": torch.channels_last}
    assert calls == ["pinned", (torch.device("cuda", 0), wanted)]
