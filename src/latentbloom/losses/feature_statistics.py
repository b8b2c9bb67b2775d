"""Fréchet distance between the feature statistics of real and of decoded pictures, as a loss.

A discriminator has to learn what tells the two apart; these statistics know it from the first step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SMALLEST_VARIANCE = 1e-6
"""Of whitened features: directions in which real pictures hardly vary do not divide by zero."""

MOST_PULL = 2.0
"""Bound on the gradient's eigenvalues, for directions in which decoded pictures hardly vary."""


def map_statistics(maps: Sequence[Tensor]) -> Tensor:
    """Mean and standard deviation over places of each channel of each map.

    Arguments:
        maps: Feature maps (B, C, h, w).

    Returns:
        Shape (B, D), D twice the number of channels of all maps, float32.
    """
    flat = [x.float().flatten(2) for x in maps]
    return torch.cat([part for x in flat for part in (x.mean(dim=2), x.std(dim=2))], dim=1)


def matrix_root(matrix: Tensor, *, inverse: bool = False) -> Tensor:
    """Square root of a symmetric matrix (D, D) without negative eigenvalues, or its inverse."""
    values, vectors = torch.linalg.eigh(matrix)
    roots = values.clamp_min(SMALLEST_VARIANCE).sqrt()
    return (vectors * (roots.reciprocal() if inverse else roots)) @ vectors.T


def frechet_pull(root_real: Tensor, covariance: Tensor) -> Tensor:
    r"""Gradient of the Fréchet distance by the covariance of decoded pictures, bounded.

    .. math:: I - \Sigma_r^{1/2} (\Sigma_r^{1/2} \Sigma \Sigma_r^{1/2})^{-1/2} \Sigma_r^{1/2}

    Arguments:
        root_real: Square root of the covariance of real pictures (D, D).
        covariance: That of decoded pictures (D, D).

    Returns:
        A symmetric matrix (D, D) with eigenvalues between -`MOST_PULL` and 1. Source: derivative
        of tr(A^(1/2)); Dowson and Landau 1982 for the distance.
    """
    inner = matrix_root(root_real @ covariance @ root_real, inverse=True)
    pull = torch.eye(len(inner), dtype=inner.dtype) - root_real @ inner @ root_real
    values, vectors = torch.linalg.eigh(0.5 * (pull + pull.T))
    return (vectors * values.clamp(-MOST_PULL, 1.0)) @ vectors.T


def statistics_loss(features: Tensor, mean: Tensor, pull: Tensor) -> Tensor:
    r"""A loss whose gradient is that of the Fréchet distance to real pictures.

    .. math:: 2 x^\top \mu + (x - \mu)^\top M (x - \mu)

    The features are whitened by real ones, whose mean is 0, so that :math:`\mu` is also the
    distance of the two means. :math:`\mu` and M, the result of `frechet_pull`, are of many more
    pictures than a batch has, and constant.

    Arguments:
        features: Of decoded pictures (B, D).
        mean: Their mean (D,).
        pull: Shape (D, D).

    Returns:
        Shape (B,). Its value has no meaning, only its gradient.
    """
    centred = features - mean
    return 2.0 * features @ mean + ((centred @ pull) * centred).sum(dim=1)
