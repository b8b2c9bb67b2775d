"""Losses of an autoencoder by itself, against `torch.distributions` and by hand."""

from __future__ import annotations

import torch
from torch.distributions import Normal, kl_divergence

from latentbloom.losses.autoencoding import kl_loss, reconstruction_loss
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
