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
    mean_over,
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
    assert float(adaptive_weight(1e-3 * main, torch.zeros(2))) == pytest.approx(5e3)
    assert not adaptive_weight(main.requires_grad_(True), push).requires_grad


def test_cross_entropy_of_scores_by_hand() -> None:
    real, fake = [torch.tensor([[[[0.0]]]])], [torch.tensor([[[[math.log(3.0)]]]])]
    # P(real) is 1/2 and 3/4: -log(1/2) and -log(1/4), halved; to fool it costs -log(3/4).
    expected = 0.5 * (math.log(2) + math.log(4))
    assert float(bce_discriminator_loss(real, fake)) == pytest.approx(expected)
    assert float(bce_generator_loss(fake)) == pytest.approx(math.log(4 / 3))
    heads = [*real, torch.tensor([[[[math.log(3.0)]]]])]
    found = bce_discriminator_loss(heads, [*fake, torch.tensor([[[[0.0]]]])])
    assert float(found) == pytest.approx((expected + 0.5 * (math.log(4 / 3) + math.log(2))) / 2)
    both = bce_generator_loss([*fake, torch.tensor([[[[0.0]]]])])
    assert float(both) == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_a_mean_over_a_part_of_a_batch() -> None:
    values = torch.tensor([[1.0, 3.0], [5.0, 7.0], [0.0, 2.0]])
    assert float(mean_over(values)) == float(mean_over(values, 3)) == 3.0
    assert float(mean_over(values, 12)) == pytest.approx((2.0 + 6.0 + 1.0) / 12)
    assert float(mean_over(values, 1.5)) == pytest.approx(6.0)
    for expected in (None, 4):
        nothing = torch.zeros(0, 2, requires_grad=True)
        loss = mean_over(nothing, expected)
        loss.backward()  # no rows: zero, not undefined
        assert loss.item() == 0.0


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    """With the rows of the whole batch of each head, losses of its parts sum to its loss."""
    torch.manual_seed(0)
    real, fake = ([3 * torch.randn(6, 1, s, s) for s in (2, 3)] for _ in range(2))
    parts = (slice(0, 1), slice(1, 4), slice(4, 6))
    for loss in (hinge_discriminator_loss, bce_discriminator_loss, discriminator_accuracy):
        pieces = [loss([r[p] for r in real], [f[p] for f in fake], (6, 6)) for p in parts]
        assert float(sum(pieces)) == pytest.approx(float(loss(real, fake)), rel=1e-5)
    for loss in (hinge_generator_loss, bce_generator_loss):
        pieces = [loss([f[p] for f in fake], (6, 6)) for p in parts]
        assert float(sum(pieces)) == pytest.approx(float(loss(fake)), rel=1e-5)


def test_scores_at_the_border() -> None:
    """A score of exactly zero is on no side."""
    zero = [torch.zeros(1, 1, 1, 1)]
    assert float(discriminator_accuracy(zero, zero)) == 0.0


def test_heads_without_a_partner_are_refused() -> None:
    one, two = [torch.zeros(1, 1, 1, 1)], [torch.zeros(1, 1, 1, 1)] * 2
    for loss in (hinge_discriminator_loss, bce_discriminator_loss, discriminator_accuracy):
        for real, fake in ((one, two), (two, one)):
            with pytest.raises(ValueError, match="argument"):
                loss(real, fake)
        with pytest.raises(ValueError, match="argument"):
            loss(two, two, (1,))
    for loss in (hinge_generator_loss, bce_generator_loss):
        with pytest.raises(ValueError, match="argument"):
            loss(two, (1,))
