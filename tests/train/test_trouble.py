"""Losses that are not finite and memory that runs out: what is said, kept and computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentbloom.config import AutoencoderConfig, TrainSettings
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.device import make_accelerator
from latentbloom.errors import TrainingError
from latentbloom.runs.checkpoint import load_checkpoint
from latentbloom.runs.metrics import MetricsLog, read_metrics
from latentbloom.train.budget import Budget
from latentbloom.train.loop import Trainer
from latentbloom.train.stage import Batch
from latentbloom.train.stages.vae_gan import VaeGanStage
from latentbloom.train.state import Position
from latentbloom.train.stepping.parts import is_out_of_memory, rows_of, split_batch
from latentbloom.train.stepping.step import NotFiniteError, Stepper
from tiny_run import make_pictures, tiny_config
from toy_stage import SilentProgress, TickingClock, ToyStage

PACE = TrainSettings(checkpoint_seconds=2.0, log_seconds=1.0)
Loss = Callable[[Batch, float], tuple[Tensor, dict[str, Tensor]]]


def train(
    run: Path, stage: ToyStage, images: int = 80, settings: TrainSettings = PACE
) -> tuple[Trainer, list[str]]:
    display = SilentProgress()
    trainer = Trainer(
        stage,
        Budget(images=images),
        settings,
        make_accelerator("fp32"),
        run,
        MetricsLog(run / "metrics.jsonl"),
        display,
        clock=TickingClock(0.2),
    )
    trainer.train()
    return trainer, display.lines


def spoil(stage: ToyStage, phase: int, change: Callable[[Batch, Tensor], Tensor]) -> ToyStage:
    """The stage with another loss of a phase."""
    whole: Loss = stage.phases[phase].loss

    def loss(batch: Batch, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        value, logs = whole(batch, progress)
        return change(batch, value), logs

    stage.phases[phase].loss = loss
    return stage


def once(at: int, bad: float) -> Callable[[Batch, Tensor], Tensor]:
    """The loss of the `at`-th call is not finite."""
    calls = iter(range(10**6))
    return lambda batch, value: value * bad if next(calls) == at else value


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_goes_back_with_a_smaller_step(
    tmp_path: Path, bad: float
) -> None:
    trainer, said = train(tmp_path, spoil(ToyStage(), 0, once(13, bad)))

    assert trainer.position.done
    assert trainer.position.lr_scale == 0.5
    (told,) = [line for line in said if "Not finite" in line]
    assert "Not finite: the model's loss after 52 images (batch of pictures " in told
    assert "learning rate times 0.5" in told
    (record,) = [r for r in read_metrics(tmp_path / "metrics.jsonl") if r["kind"] == "not finite"]
    assert (record["phase"], record["what"], record["at_images"]) == ("model", "loss", 52)
    assert len(record["pictures"]) == 4
    assert record["images"] < 52  # where training returned to
    assert all(torch.isfinite(w).all() for w in trainer.stage.phases[0].module.parameters())


def test_a_gradient_that_is_not_finite_is_told_from_a_loss(tmp_path: Path) -> None:
    stage = ToyStage()
    calls = iter(range(10**6))
    weight = next(stage.rival.parameters())
    weight.register_hook(lambda g: g * (math.inf if next(calls) == 3 else 1.0))

    _, said = train(tmp_path, stage)

    assert any("Not finite: the rival's gradient after " in line for line in said)


def test_no_weight_of_any_phase_changes_in_such_a_step() -> None:
    stage = spoil(ToyStage(), 1, lambda batch, value: value * math.nan)
    before = [w.detach().clone() for w in stage.model.parameters()]
    stepper = Stepper(stage, PACE, make_accelerator("fp32"), print)

    with pytest.raises(NotFiniteError, match="rival"):
        stepper.step(Position(), 0.9)  # the model's own loss, which came first, was fine

    assert all(torch.equal(a, b) for a, b in zip(before, stage.model.parameters(), strict=True))


def test_after_three_returns_training_ends_and_the_checkpoint_is_whole(tmp_path: Path) -> None:
    stage = ToyStage()
    settings = TrainSettings(checkpoint_seconds=1e6, log_seconds=1.0)
    calls = iter(range(10**6))
    before = stage.model.weight.detach().clone()
    spoil(stage, 0, lambda batch, value: value * (math.nan if next(calls) % 5 == 4 else 1.0))

    with pytest.raises(TrainingError) as error:
        train(tmp_path, stage, settings=settings)

    assert "again after 3 returns to the last good checkpoint" in str(error.value)
    assert "--train.precision fp32" in str(error.value)
    tensors, meta = load_checkpoint(tmp_path / "toy_last")
    assert torch.equal(tensors["model"]["weight"], before)
    assert meta["position"]["images"] == 0
    kinds = [r["kind"] for r in read_metrics(tmp_path / "metrics.jsonl")]
    assert kinds.count("not finite") == 3


OUT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] not enough memory: you tried to allocate 1"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    MemoryError(),
]


def small_memory(stage: ToyStage, most: int, error: BaseException, phase: int = 0) -> ToyStage:
    def change(batch: Batch, value: Tensor) -> Tensor:
        if rows_of(batch) > most:
            raise error
        return value

    return spoil(stage, phase, change)


@pytest.mark.parametrize("error", OUT, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("phase", [0, 1])
def test_without_memory_a_batch_is_computed_in_parts_with_the_same_result(
    tmp_path: Path, error: BaseException, phase: int
) -> None:
    whole, _ = train(tmp_path / "whole", ToyStage())
    stage = small_memory(ToyStage(), 1, error, phase)

    parted, said = train(tmp_path / "parted", stage)

    told = [line for line in said if "Not enough memory" in line]
    assert told == [
        f"Not enough memory for the gradient of {size} pictures at once. Batches of 4 are computed "
        f"in {parts} parts from here on, whose gradients are added."
        for size, parts in ((4, 2), (2, 4))
    ]
    assert parted.position.parts == 4
    assert parted.position.images == whole.position.images
    for mine, other in zip(
        [*stage.model.parameters(), *stage.rival.parameters()],
        [p for phase in whole.stage.phases for p in phase.module.parameters()],
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_a_resumed_run_keeps_the_parts(tmp_path: Path) -> None:
    train(tmp_path, small_memory(ToyStage(), 2, OUT[0]), images=40)
    trainer, said = train(tmp_path, small_memory(ToyStage(), 2, OUT[0]), images=80)
    assert trainer.position.parts == 2
    assert not any("Not enough memory" in line for line in said)


def test_no_memory_for_one_picture_ends_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not enough memory for a single picture"):
        train(tmp_path, small_memory(ToyStage(), 0, OUT[1]))


def test_other_errors_are_not_taken_for_memory(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a real fault"):
        train(tmp_path, small_memory(ToyStage(), 1, RuntimeError("a real fault")))
    assert not is_out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_parts_hold_every_row_once(parts: int) -> None:
    batch: Batch = {"x": torch.arange(5), "cond": {"a": torch.arange(5)}, "t": torch.tensor(1.0)}
    found = split_batch(batch, parts)
    assert len(found) == parts
    assert torch.equal(torch.cat([part["x"] for part in found]), batch["x"])
    assert torch.equal(torch.cat([part["cond"]["a"] for part in found]), batch["cond"]["a"])
    assert all(part["t"] == 1.0 for part in found)
    assert min(rows_of(part) for part in found) >= 1


def test_the_autoencoder_learns_the_same_in_parts(tmp_path: Path) -> None:
    """One step in one part and in two: the same gradient but for rounding."""
    source = open_source(make_pictures(tmp_path / "pictures", per_label=4))
    images = ImageSet(source, source.entries, size=32, channels=1)
    weights = []
    for parts in (1, 2):
        config = tiny_config()
        shape = AutoencoderConfig(width=16, size=32, channels=1, blocks=1)
        accelerator = make_accelerator("fp32", alone=True)
        stage = VaeGanStage(shape, config.vae_gan, config.train, images, images, accelerator)
        trainer = Trainer(
            stage,
            Budget(images=8),
            config.train,
            accelerator,
            tmp_path,
            MetricsLog(tmp_path / "m", enabled=False),
            SilentProgress(),
        )
        trainer.position = Position(parts=parts)
        trainer.step(0.0)
        gradients = [p.grad for p in stage.phases[0].module.parameters()]
        weights.append(torch.cat([g.flatten() for g in gradients if g is not None]))
        # What looks at a batch as a whole (the discriminator's spectral norm, the weight of its
        # term) is computed for each part: not the same, but it runs.
        logs = trainer.step(0.9)
        assert torch.isfinite(logs["adversarial"])
        assert torch.isfinite(logs["discriminator"])
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-3, atol=1e-5)
