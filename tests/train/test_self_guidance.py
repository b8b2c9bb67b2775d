"""A denoiser that learns to be guided by its earlier self."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from latentbloom.conditions import Cond
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.runs.checkpoint import load_checkpoint
from latentbloom.runs.metrics import MetricsLog
from latentbloom.train.budget import Budget
from latentbloom.train.ema import Average
from latentbloom.train.loop import Trainer
from latentbloom.train.stages.self_guidance import SNAPSHOT_AT, STARTS_AT, Mixture, SelfGuidance
from stage_parts import build
from tiny_run import make_pictures
from toy_stage import SilentProgress


class Line(nn.Module):
    """y = slope x, as a backbone."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x: Tensor, t: Tensor, cond: Cond) -> Tensor:
        del t, cond
        return self.slope * x


def test_what_is_learned_is_autoguidance_of_that_strength() -> None:
    trained, early, w = Line(2.0), Line(1.0), 1.5
    mixture = Mixture(trained, early, w)
    optimiser = torch.optim.SGD([trained.slope], 0.5)
    x = torch.ones(8, 1)
    for _ in range(200):
        optimiser.zero_grad()
        (mixture(x, x, {}) - 3.0 * x).square().mean().backward()  # the best estimate is 3 x
        optimiser.step()
    assert float(trained.slope.detach()) == pytest.approx(1.0 + w * (3.0 - 1.0), abs=1e-4)
    assert early.slope.grad is None


def test_it_keeps_an_earlier_self_and_begins_in_the_end() -> None:
    model, kept = Line(1.0), dict[str, nn.Module]()
    average = Average(model, 0.05)
    guidance = SelfGuidance(1.5, average, kept)
    guidance.advance(SNAPSHOT_AT - 0.01)
    assert not kept
    guidance.advance(SNAPSHOT_AT)
    with torch.no_grad():
        average.module.get_parameter("slope").fill_(9.0)
    guidance.advance(STARTS_AT - 0.01)
    assert not guidance.active
    guidance.advance(STARTS_AT)
    assert guidance.active
    (early,) = kept.values()
    assert float(early.get_parameter("slope")) == 1.0  # as it was then
    assert not early.get_parameter("slope").requires_grad
    off = SelfGuidance(1.0, average, {})
    off.advance(1.0)
    assert not off.active
    assert not off.snapshots
    assert not off.milestones


@pytest.mark.parametrize("stops", [(4,), (24, 44), (76,)])
def test_a_stage_that_stops_anywhere_ends_with_the_same_weights(
    tmp_path: Path, stops: tuple[int, ...]
) -> None:
    """Of 80 pictures the earlier self is kept after 8, and guides from 64 on."""
    source = open_source(make_pictures(tmp_path / "pictures", splits=False))
    images = ImageSet(source, source.entries, size=32, channels=1)

    def trained(run: Path, stop: int | None) -> bool:
        stage, config, accelerator = build("diffusion", images, 4, alone=True)
        log = MetricsLog(run / "metrics.jsonl")
        trainer = Trainer(
            stage,
            Budget(images=80),
            config.train,
            accelerator,
            run,
            log,
            SilentProgress(),
            should_stop=lambda: trainer.position.images == stop,
        )
        return trainer.train().done

    assert trained(tmp_path / "whole", None)
    for stop in stops:
        assert not trained(tmp_path / "stopped", stop)
    assert trained(tmp_path / "stopped", None)
    whole, again = (
        load_checkpoint(tmp_path / run / "conditional_diffusion_last")[0]
        for run in ("whole", "stopped")
    )
    assert whole.keys() == again.keys()
    assert "snapshot_early" in whole
    for part, tensors in whole.items():
        for name, tensor in tensors.items():
            assert torch.equal(tensor, again[part][name]), f"{part}.{name}"
    apart = [
        float((whole["snapshot_early"][n] - whole["ema"][n]).abs().max()) for n in whole["ema"]
    ]
    assert max(apart) > 0.0
