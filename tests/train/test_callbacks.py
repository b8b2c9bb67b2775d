"""What is called while a stage trains may fail; only a checkpoint that is not written ends it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from latentbloom.config import TrainSettings
from latentbloom.device import make_accelerator
from latentbloom.errors import CheckpointError
from latentbloom.runs.metrics import MetricsLog, read_metrics
from latentbloom.train.budget import Budget
from latentbloom.train.epochs import EpochEnds
from latentbloom.train.loop import Trainer
from latentbloom.train.state import Position
from toy_stage import SilentProgress, TickingClock, ToyStage

PACE = TrainSettings(checkpoint_seconds=50.0, preview_seconds=3.0, log_seconds=1.0)
EPOCHS = 3


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def train(
    run: Path,
    log: MetricsLog | None = None,
    at_epoch: Callable[[ToyStage], Callable[[int, int, Position], None]] | None = None,
    at_preview: Callable[[], None] | None = None,
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Weights at the end of three epochs, and what the display was told to say."""
    stage, display = ToyStage(), SilentProgress()
    trainer = Trainer(
        stage,
        Budget(images=EPOCHS * stage.num_images),
        PACE,
        make_accelerator("fp32"),
        run,
        log or MetricsLog(run / "metrics.jsonl"),
        display,
        at_epoch=at_epoch(stage) if at_epoch is not None else None,
        at_preview=at_preview,
        clock=TickingClock(0.2),
    )
    assert trainer.train().done
    return stage.model.state_dict(), display.lines


def test_pictures_that_fail_are_said_once_and_change_nothing(tmp_path: Path) -> None:
    drawn: list[int] = []

    def draw(epoch: int) -> None:
        drawn.append(epoch)
        full_disk()

    undisturbed, said = train(tmp_path / "undisturbed")
    assert not any("Training continues" in line for line in said)
    weights, said = train(
        tmp_path / "full",
        at_epoch=lambda stage: EpochEnds(
            stage, tmp_path / "full", keep_every=1, draw_every=1, draw=draw
        ),
        at_preview=full_disk,
    )
    assert all(torch.equal(weights[name], value) for name, value in undisturbed.items())
    assert drawn == [1, 2, 3]
    assert [line for line in said if "Training continues" in line] == [
        "No preview: OSError: [Errno 28] No space left on device. Training continues.",
        "No pictures of an epoch: OSError: [Errno 28] No space left on device. Training continues.",
    ]
    assert (tmp_path / "full" / "toy_epoch_3").is_dir()  # kept although its pictures failed


def test_metrics_that_cannot_be_written_are_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MetricsLog, "write", full_disk)
    _, said = train(tmp_path)
    assert [line for line in said if "Training continues" in line] == [
        "No metrics: OSError: [Errno 28] No space left on device. Training continues."
    ]
    assert not read_metrics(tmp_path / "metrics.jsonl")


def test_a_checkpoint_that_cannot_be_kept_ends_training(tmp_path: Path) -> None:
    def refuse(before: int, after: int, position: Position) -> None:
        raise CheckpointError("The disk is full.")

    with pytest.raises(CheckpointError, match="The disk is full"):
        train(tmp_path, at_epoch=lambda stage: refuse)


def test_ctrl_c_during_a_preview_is_no_failure_of_it(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, at_preview=interrupt)
