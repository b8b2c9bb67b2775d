"""Fréchet distance between two sets of features, with its interval.

Names carry what was measured: `FD@1317/efficientnet-lite2/112` is a Fréchet distance of 1,317
pictures on those features. It is no "FID", which is defined on other features.
"""

from __future__ import annotations

import numpy as np
import torch

from latentbloom.evaluate.measures.intervals import Interval, half_samples, random_halves

SHARES = (1.0, 0.75, 0.6, 0.5)
"""Shares of the pictures at which a distance is measured to extrapolate it."""

SUBSETS = 2
"""Random subsets at each share below 1."""


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    r"""Fréchet distance of the Gaussians that fit two sets of features.

    .. math:: d^2 = \lVert\mu_a - \mu_b\rVert^2 + \mathrm{tr}\,\Sigma_a
        + \mathrm{tr}\,\Sigma_b - 2\,\mathrm{tr}(\Sigma_a\Sigma_b)^{1/2}

    With centred data A and B, scaled so that :math:`\Sigma = A^\top A`, the last trace is the
    nuclear norm of :math:`A B^\top`: no square root of a matrix, no complex numbers, and right
    for fewer pictures than features.

    Arguments:
        a: (N, D), N >= 2.
        b: (M, D), M >= 2.

    Returns:
        The squared distance, >= 0. Small sets make it larger: compare equal numbers only.

    Source: Dowson and Landau 1982; Heusel et al. 2017, arXiv:1706.08500, equation 6.
    """
    (mean_a, root_a), (mean_b, root_b) = _moments(a), _moments(b)
    shift = (mean_a - mean_b).square().sum()
    overlap = torch.linalg.svdvals(root_a @ root_b.T).sum()
    distance = shift + root_a.square().sum() + root_b.square().sum() - 2.0 * overlap
    return max(0.0, float(distance))


def _moments(features: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean (D,) and a root R (rows, D) of the covariance, R^T R, in float64."""
    if len(features) < 2:
        raise ValueError(f"{len(features)} pictures have no covariance; 2 or more are needed")
    x = torch.from_numpy(np.array(features, np.float64))
    mean = x.mean(dim=0)
    root = (x - mean) / (len(x) - 1) ** 0.5
    if root.shape[0] > root.shape[1]:
        root = torch.linalg.qr(root, mode="r").R
    return mean, root


def frechet_interval(a: np.ndarray, b: np.ndarray, *, repeats: int = 16, seed: int = 0) -> Interval:
    """Fréchet distance with the interval of `half_samples`, which resamples both sets."""
    value = frechet_distance(a, b)
    return half_samples(
        lambda i, j: frechet_distance(a[i], b[j]), value, len(a), len(b), repeats, seed
    )


def extrapolated_frechet(
    a: np.ndarray, b: np.ndarray, *, repeats: int = 16, seed: int = 0
) -> tuple[Interval, Interval]:
    r"""Fréchet distance, and its extrapolation to infinitely many pictures, with intervals.

    The bias of the distance is inversely proportional to the number of pictures, in first order.
    The distances of random subsets, with a share s of both sets, lie near a line over 1 / s. Where
    1 / s is 0, the line meets the unbiased distance:

    .. math:: E[d^2(s)] \approx d^2_\infty + c / s

    With fewer pictures than dimensions some upward bias is left: compare with real pictures.

    Arguments:
        a: (N, D), N >= 8.
        b: (M, D), M >= 8.
        repeats: Random halves behind the intervals, as in `half_samples`.
        seed: Of halves and subsets.

    Returns:
        The distance as `frechet_interval` gives it, and the extrapolated one. That one is not
        clipped at 0: it is as often too small as too large.

    Source: Chong and Forsyth 2020, arXiv:1911.07023, section 4, here with subsets of both sets.
    """
    generator = np.random.default_rng([seed, 1])
    distance, limit = _distance_and_limit(a, b, generator)
    halves = random_halves(len(a), len(b), repeats, seed)
    draws = np.array([_distance_and_limit(a[i], b[j], generator) for i, j in halves])
    return Interval.from_draws(distance, draws[:, 0]), Interval.from_draws(limit, draws[:, 1])


def frechet_limit(a: np.ndarray, b: np.ndarray, *, seed: int = 0) -> float:
    """The extrapolated distance of `extrapolated_frechet`, without its interval."""
    return _distance_and_limit(a, b, np.random.default_rng([seed, 1]))[1]


def _distance_and_limit(
    a: np.ndarray, b: np.ndarray, generator: np.random.Generator
) -> tuple[float, float]:
    def subset(x: np.ndarray, share: float) -> np.ndarray:
        return x[generator.permutation(len(x))[: max(2, round(share * len(x)))]]

    distance = frechet_distance(a, b)
    found = [distance]
    for share in SHARES[1:]:
        some = [frechet_distance(subset(a, share), subset(b, share)) for _ in range(SUBSETS)]
        found.append(float(np.mean(some)))
    line = np.polynomial.Polynomial.fit(1.0 / np.array(SHARES), found, deg=1)
    return distance, float(line(0.0))
