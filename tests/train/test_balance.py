"""The adversarial gradient is weighed by what a step in four measures, wherever a run resumes."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch

from latentbloom.config import AutoencoderConfig
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.device import make_accelerator
from latentbloom.nn.discriminator import Balance
from latentbloom.train.stages.vae_gan import VaeGanStage
from latentbloom.train.state import Position, restore_stage, save_stage
from tiny_run import make_pictures, tiny_config


@pytest.fixture
def stage(tmp_path: Path) -> VaeGanStage:
    source = open_source(make_pictures(tmp_path / "pictures"))
    images = ImageSet(source, source.entries, size=32, channels=1, fit="crop")
    config = tiny_config()
    shape = cast(AutoencoderConfig, config.autoencoder)
    shape = shape.model_copy(update={"size": 32, "channels": 1})
    return VaeGanStage(
        shape, config.vae_gan, config.train, images, images, make_accelerator("fp32")
    )


def balance_of(stage: VaeGanStage) -> Balance:
    return stage.adversary.balance


def gradient(stage: VaeGanStage, progress: float) -> torch.Tensor:
    """What one loss makes of the autoencoder's gradient, from the same pictures and noise."""
    torch.manual_seed(0)
    batch = stage.batch(list(range(8)))
    stage.autoencoder.zero_grad()
    stage.autoencoder_loss(batch, progress)[0].backward()
    found = [p.grad for p in stage.autoencoder.parameters() if p.grad is not None]
    return torch.cat([grad.flatten() for grad in found])


def test_the_weight_that_a_step_measures_holds_for_the_next(stage: VaeGanStage) -> None:
    stage.adversary.discriminator.eval()  # spectral norms stay as they are
    balance = balance_of(stage)
    measured = gradient(stage, progress=1.0)
    assert int(balance.steps) == 1
    assert float(balance.weight) > 0
    assert not balance.due
    torch.testing.assert_close(gradient(stage, progress=1.0), measured, rtol=1e-4, atol=1e-7)
    balance.weight.zero_()
    assert not torch.allclose(gradient(stage, progress=1.0), measured, rtol=1e-2)


def test_nothing_is_measured_before_the_adversarial_phase(stage: VaeGanStage) -> None:
    gradient(stage, progress=0.0)
    assert int(balance_of(stage).steps) == 0


def test_a_checkpoint_keeps_the_weight_and_when_it_is_due(
    stage: VaeGanStage, tmp_path: Path
) -> None:
    gradient(stage, progress=1.0)
    weight = balance_of(stage).weight.clone()
    save_stage(stage, Position(), tmp_path / "vae_gan_last")
    gradient(stage, progress=1.0)
    balance_of(stage).weight.zero_()
    restore_stage(stage, tmp_path / "vae_gan_last")
    assert torch.equal(balance_of(stage).weight, weight)
    assert int(balance_of(stage).steps) == 1


def test_the_weight_is_a_running_geometric_mean() -> None:
    balance = Balance()
    assert balance.due
    balance.measured(torch.tensor(8.0))
    assert float(balance.weight) == 8.0
    balance.steps += Balance.EVERY
    assert balance.due
    balance.measured(torch.tensor(2.0))
    expected = 8.0**Balance.KEPT * 2.0 ** (1 - Balance.KEPT)
    assert float(balance.weight) == pytest.approx(expected)
