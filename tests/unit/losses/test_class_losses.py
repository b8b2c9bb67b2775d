"""Losses that give the latent a structure by label, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from latentbloom.losses.class_losses import (
    attraction_loss,
    classification_loss,
    mean_of_known,
    nearest_centre,
    repulsion_loss,
    spread_loss,
)

KNOWN = torch.tensor([True, True, False])
INDEX = torch.tensor([0, 1, 2])  # 2 is "any" where there are two values


def test_cross_entropy_counts_known_rows_alone() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3.0)], [50.0, -50.0]])
    losses = classification_loss(logits, INDEX, KNOWN)
    assert losses.tolist() == pytest.approx([math.log(2), math.log(4 / 3), 0.0])
    expected = (math.log(2) + math.log(4 / 3)) / 2
    assert float(mean_of_known(losses, KNOWN)) == pytest.approx(expected)
    assert float(mean_of_known(losses, torch.zeros(3, dtype=torch.bool))) == 0.0


def test_attraction_is_the_squared_distance_a_number() -> None:
    centres = torch.tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
    z = torch.tensor([[3.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
    losses = attraction_loss(z, centres, INDEX, KNOWN)
    assert losses.tolist() == pytest.approx([2.0, 0.5, 0.0])
    losses.sum().backward()
    # d/dc of (z - c)^2 / D is -2 (z - c) / D: only the own centre moves, towards its picture.
    assert centres.grad is not None
    assert centres.grad.tolist() == [[-2.0, 0.0], [0.0, 1.0]]


def test_repulsion_acts_on_pairs_that_are_too_near() -> None:
    centres = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    # Distances 5, 1 and sqrt(9 + 9); at least 4.5 is wanted.
    expected = (0.0 + 3.5**2 + (4.5 - math.sqrt(18)) ** 2) / 3
    assert float(repulsion_loss(centres, 4.5)) == pytest.approx(expected)
    assert float(repulsion_loss(centres[1:2], 4.5)) == 0.0  # one alone
    together = torch.zeros(2, 3, requires_grad=True)
    repulsion_loss(together, 1.0).backward()
    assert together.grad is not None
    assert torch.isfinite(together.grad).all()
    assert repulsion_loss(together, 1.0).item() == pytest.approx(1.0, abs=1e-5)


def test_spread_is_wanted_inside_each_class_that_has_two_pictures() -> None:
    z = torch.tensor([[0.0, 0.0], [2.0, 0.0], [5.0, 5.0], [7.0, 1.0]])
    index, known = torch.tensor([0, 0, 1, 0]), torch.tensor([True, True, True, False])
    # Class 0: deviations sqrt(2) and 0 (nearly), so a spread of 0.5 lacks 0 and 0.5; class 1 has
    # one picture and says nothing; the last row is not known.
    assert float(spread_loss(z, index, known, 2, 0.5)) == pytest.approx(0.25, abs=1e-3)
    assert float(spread_loss(z, index, known, 2, 2.0)) == pytest.approx(
        (2.0 - math.sqrt(2) + 2.0) / 2, abs=1e-3
    )
    three = torch.tensor([[0.0], [0.0], [6.0], [1.0], [3.0]])  # sqrt(12) and sqrt(2)
    found = spread_loss(three, torch.tensor([0, 0, 0, 1, 1]), torch.ones(5).bool(), 2, 4.0)
    assert float(found) == pytest.approx((8.0 - math.sqrt(12) - math.sqrt(2)) / 2, abs=1e-3)
    alone = torch.tensor([True, False, True, False])
    assert float(spread_loss(z, index, alone, 2, 0.5)) == 0.0


def test_pictures_of_a_class_at_one_point_have_a_finite_gradient() -> None:
    z = torch.zeros(3, 2, requires_grad=True)
    loss = spread_loss(z, torch.zeros(3).long(), torch.ones(3).bool(), 1, 0.5)
    loss.backward()
    assert loss.item() == pytest.approx(0.5, abs=1e-3)
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()


def test_nearest_centre() -> None:
    centres = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    z = torch.tensor([[1.9, 5.0], [2.1, -5.0], [-1.0, 0.0]])
    assert nearest_centre(z, centres).tolist() == [0, 1, 0]
