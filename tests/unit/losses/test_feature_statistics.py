"""The statistics loss has the gradient of the Fréchet distance, by a formula of its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from latentbloom.evaluate.measures.distances import frechet_distance
from latentbloom.losses.feature_statistics import (
    frechet_pull,
    map_statistics,
    matrix_root,
    statistics_loss,
)
from latentbloom.train.stages.feature_moments import FeatureMoments


def sets() -> tuple[Tensor, Tensor]:
    """Features of real pictures, whose mean is 0, and of decoded ones, float64."""
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(400, 5, generator=generator).double()
    real = (real - real.mean(0)) @ torch.diag(torch.tensor([1.0, 0.8, 1.2, 1.0, 0.5]).double())
    decoded = 0.8 * torch.randn(300, 5, generator=generator).double() + 0.3
    return real, decoded


def test_the_gradient_is_that_of_the_distance() -> None:
    real, decoded = sets()
    mean = decoded.mean(0)
    centred = decoded - mean
    root = matrix_root(real.T @ real / len(real))
    pull = frechet_pull(root, centred.T @ centred / len(decoded))
    x = decoded.clone().requires_grad_(True)
    (found,) = torch.autograd.grad(statistics_loss(x, mean, pull).mean(), x)

    def distance(rows: Tensor) -> float:  # by singular values, with n - 1 in the covariance
        scale = ((len(rows) - 1) / len(rows)) ** 0.5
        about = rows.mean(0)
        rows = about + (rows - about) * scale
        whole = real * ((len(real) - 1) / len(real)) ** 0.5
        return frechet_distance(rows.numpy(), whole.numpy())

    step = 1e-3
    for row, column in ((0, 0), (17, 2), (250, 4)):
        moved = torch.zeros_like(decoded)
        moved[row, column] = step
        slope = (distance(decoded + moved) - distance(decoded - moved)) / (2 * step)
        assert float(found[row, column]) == pytest.approx(slope, rel=1e-3)


def test_the_pull_is_bounded_where_decoded_pictures_do_not_vary() -> None:
    real, _ = sets()
    pull = frechet_pull(matrix_root(real.T @ real / len(real)), torch.zeros(5, 5).double())
    values = torch.linalg.eigvalsh(pull)
    torch.testing.assert_close(values, torch.full((5,), -2.0).double())


def test_roots_by_hand_also_where_nothing_varies() -> None:
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]]).double()
    matrix = turn @ torch.diag(torch.tensor([9.0, 0.0]).double()) @ turn.T
    root = turn @ torch.diag(torch.tensor([3.0, 1e-3]).double()) @ turn.T
    inverse = turn @ torch.diag(torch.tensor([1 / 3, 1e3]).double()) @ turn.T
    torch.testing.assert_close(matrix_root(matrix), root)
    torch.testing.assert_close(matrix_root(matrix, inverse=True), inverse)


def test_statistics_of_maps_by_hand() -> None:
    x = torch.arange(16.0).view(1, 2, 2, 4)
    found = map_statistics([x, x[:, :1]])
    rows = x.flatten(2)[0].numpy()
    expected = [*rows.mean(1), *rows.std(1, ddof=1), rows[0].mean(), rows[0].std(ddof=1)]
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-6)


def test_features_that_follow_the_loss_come_nearer_to_real_ones() -> None:
    real, decoded = sets()
    moments = FeatureMoments(real.float(), pictures=100)
    x = decoded[:64].float().requires_grad_(True)
    for _ in range(10):  # until it has seen enough
        assert moments(x).shape == (64,)
    before = moments.distance()
    for _ in range(100):
        (gradient,) = torch.autograd.grad(moments(x).mean(), x)
        x = (x - 3.0 * gradient).detach().requires_grad_(True)
    assert before > 0.5
    assert moments.distance() < 0.3 * before


def test_nothing_pulls_before_there_is_a_covariance() -> None:
    real, decoded = sets()
    moments = FeatureMoments(real.float(), pictures=1000)
    x = decoded[:16].float().requires_grad_(True)
    (gradient,) = torch.autograd.grad(moments(x).sum(), x)
    assert not moments.ready
    assert not gradient.any()
