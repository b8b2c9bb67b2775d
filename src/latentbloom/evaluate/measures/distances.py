"""Fréchet distance between two sets of features, with its interval.

Names carry what was measured: `FD@1317/efficientnet-lite2/112` is a Fréchet distance of 1,317
pictures on those features. It is no "FID", which is defined on other features.
"""

from __future__ import annotations

import numpy as np
import torch

from latentbloom.evaluate.measures.intervals import Interval, half_samples


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
