"""Losses of stage 1 against `torch.distributions` and calculations by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from latentbloom.losses.terms import (
    adaptive_weight,
    discriminator_accuracy,
    hinge_discriminator_loss,
    hinge_generator_loss,
    kl_loss,
    psnr,
    ramp,
    reconstruction_loss,
)
from latentbloom.nn.autoencoders.base import Posterior


def test_kl_agrees_with_torch_distributions() -> None:
    torch.manual_seed(0)
    mean, std = torch.randn(5, 4, 8, 8, dtype=torch.float64), torch.rand(5, 4, 8, 8).double() + 0.1
    expected = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).mean(dim=(1, 2, 3))
    torch.testing.assert_close(kl_loss(Posterior(mean, std)), expected)


def test_reconstruction_is_the_mean_absolute_error_of_each_picture() -> None:
    x = torch.zeros(2, 1, 2, 2)
    y = torch.tensor([[1.0, -1.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]]).view(2, 1, 2, 2)
    assert reconstruction_loss(x, y).tolist() == [0.5, 0.5]


def test_hinge_by_hand_and_heads_count_alike() -> None:
    real = [torch.tensor([[[[2.0]]]]), torch.tensor([[[[0.5, -1.0], [1.0, 3.0]]]])]
    fake = [torch.tensor([[[[-0.5]]]]), torch.tensor([[[[-2.0, 0.0], [1.0, -1.0]]]])]
    first = 0.5 * (0.0 + 0.5)
    second = 0.5 * ((0.5 + 2.0 + 0.0 + 0.0) / 4 + (0.0 + 1.0 + 2.0 + 0.0) / 4)
    assert float(hinge_discriminator_loss(real, fake)) == pytest.approx((first + second) / 2)
    assert float(hinge_generator_loss(fake)) == pytest.approx(-(-0.5 + -0.5) / 2)
    share = (0.5 * (1 + 1) + 0.5 * (3 / 4 + 2 / 4)) / 2
    assert float(discriminator_accuracy(real, fake)) == pytest.approx(share)


def test_adaptive_weight_makes_both_pushes_equal() -> None:
    main, push = torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.5])
    assert float(adaptive_weight(main, push)) == pytest.approx(10.0, rel=1e-4)
    assert float(adaptive_weight(main, torch.zeros(2))) == 1e4


def test_psnr_of_a_known_error() -> None:
    x = torch.zeros(1, 1, 4, 4)
    assert float(psnr(x, x + 0.2)) == pytest.approx(20 * math.log10(2 / 0.2), abs=1e-4)


def test_ramp_has_its_corners() -> None:
    assert [ramp(p, 0.2, 0.4) for p in (0.0, 0.2, 0.3, 0.4, 1.0)] == pytest.approx(
        [0, 0, 0.5, 1, 1]
    )
    assert ramp(0.5, 0.5, 0.5) == 1.0
