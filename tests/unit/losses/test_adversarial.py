"""Losses of discriminator and autoencoder against each other, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from latentbloom.losses.adversarial import (
    adaptive_weight,
    bce_discriminator_loss,
    bce_generator_loss,
    discriminator_accuracy,
    hinge_discriminator_loss,
    hinge_generator_loss,
)


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


def test_cross_entropy_of_scores_by_hand() -> None:
    real, fake = [torch.tensor([[[[0.0]]]])], [torch.tensor([[[[math.log(3.0)]]]])]
    # P(real) is 1/2 and 3/4: -log(1/2) and -log(1/4), halved; to fool it costs -log(3/4).
    expected = 0.5 * (math.log(2) + math.log(4))
    assert float(bce_discriminator_loss(real, fake)) == pytest.approx(expected)
    assert float(bce_generator_loss(fake)) == pytest.approx(math.log(4 / 3))
