"""Alignment of tokens with features behind margins, against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from latentbloom.losses.margin_alignment import latent_alignment_loss


def test_what_is_within_the_margins_costs_nothing() -> None:
    angle = math.radians(20)
    features = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    turned = torch.tensor(
        [[[3 * math.cos(angle), 3 * math.sin(angle)], [-math.sin(angle), math.cos(angle)]]]
    )
    assert [float(part) for part in latent_alignment_loss(turned, features)] == [0.0, 0.0]


def test_the_loss_of_vectors_computed_by_hand() -> None:
    features = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    tokens = torch.tensor([[[0.0, 1.0], [0.0, 5.0]]])
    # Cosines 0 and 1; similarity of the two tokens 1 and 0, so 1 - 0.25 for two of four pairs.
    cosine, similarity = latent_alignment_loss(tokens, features)
    assert float(cosine) == pytest.approx((0.5 + 0.0) / 2)
    assert float(similarity) == pytest.approx(2 * 0.75 / 4)


def test_the_margins_are_those_of_the_paper() -> None:
    """A cosine just below 0.5, and a similarity just above 0.25, cost what is beyond."""
    features = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    angle = math.acos(0.4)
    both = torch.tensor([[[0.4, math.sin(angle)], [0.4, math.sin(angle)]]])
    assert float(latent_alignment_loss(both, features)[0]) == pytest.approx(0.1, abs=1e-6)
    assert float(latent_alignment_loss(both, features)[1]) == 0.0
    apart = torch.tensor([[[1.0, 0.0], [0.6, 0.8]]])
    assert float(latent_alignment_loss(apart, features)[1]) == pytest.approx(2 * 0.15 / 4)
