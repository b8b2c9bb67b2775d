"""Losses that give the latent of stage 1 a structure by label, as pure functions.

Each takes one factor: latents (B, D), the index of each row's value (B,), and a mask of the rows
whose value is known. Rows labelled "any" are ignored.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def classification_loss(logits: Tensor, index: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy of the known values, in nats.

    Arguments:
        logits: Shape (B, values).
        index: LongTensor (B,); anything where not known.
        known: Bool (B,).

    Returns:
        Shape (B,), 0 where not known.
    """
    losses = F.cross_entropy(logits, index.where(known, 0), reduction="none")
    return losses.where(known, 0.0)


def attraction_loss(z: Tensor, centres: Tensor, index: Tensor, known: Tensor) -> Tensor:
    r"""Mean squared distance to the centre of the own class, over latent dimensions.

    .. math:: \frac{1}{D} \lVert z - c_y \rVert^2

    Arguments:
        z: Raw latents (B, D).
        centres: Shape (values, D).
        index: LongTensor (B,); anything where not known.
        known: Bool (B,).

    Returns:
        Shape (B,), 0 where not known. Source: Wen et al. 2016, A Discriminative Feature Learning
        Approach for Deep Face Recognition, equation 2.
    """
    own = centres[index.where(known, 0)]
    return (z - own).square().mean(dim=1).where(known, 0.0)


def repulsion_loss(centres: Tensor, distance: float) -> Tensor:
    r"""Push centres apart that are closer to each other than `distance`.

    .. math:: \text{mean}_{i<j} \max(0, d - \lVert c_i - c_j \rVert)^2

    Arguments:
        centres: Shape (values, D).
        distance: Least Euclidean distance d, in raw latents.

    Returns:
        A scalar, the mean over pairs; 0 for a single centre.
    """
    i, j = torch.triu_indices(len(centres), len(centres), offset=1, device=centres.device)
    if not len(i):
        return centres.sum() * 0.0
    # The small constant keeps the gradient of the root finite where two centres coincide.
    apart = ((centres[i] - centres[j]).square().sum(dim=1) + 1e-12).sqrt()
    return F.relu(distance - apart).square().mean()


def spread_loss(z: Tensor, index: Tensor, known: Tensor, values: int, spread: float) -> Tensor:
    r"""Keep the latents of a class from collapsing to one point.

    .. math:: \text{mean}_{y, d} \max(0, s - \text{std}_{i: y_i = y}(z_{i d}))

    Arguments:
        z: Raw latents (B, D), the posteriors' means.
        index: LongTensor (B,); anything where not known.
        known: Bool (B,).
        values: Number of classes.
        spread: Least standard deviation s inside a class.

    Returns:
        A scalar, the mean over latent dimensions and over classes with at least two rows in the
        batch; 0 where there are none. Source: Bardes et al. 2021, arXiv:2105.04906, equation 1,
        here for each class.
    """
    member = F.one_hot(index.where(known, 0), values).to(z.dtype) * known[:, None]  # (B, K)
    count = member.sum(dim=0)
    mean = member.T @ z / count.clamp_min(1)[:, None]  # (K, D)
    own = mean[index.where(known, 0)]
    squares = member.T @ (z - own).square()  # two passes: no difference of large numbers
    std = (squares / (count - 1).clamp_min(1)[:, None] + 1e-8).sqrt()
    enough = (count >= 2).to(z.dtype)
    shortfall = F.relu(spread - std).mean(dim=1)
    return (shortfall * enough).sum() / enough.sum().clamp_min(1)


def mean_of_known(values: Tensor, known: Tensor) -> Tensor:
    """Mean of (B,) over the known rows, a scalar; 0 where none is known."""
    return values.where(known, 0.0).sum() / known.sum().clamp_min(1)


def nearest_centre(z: Tensor, centres: Tensor) -> Tensor:
    """Index (B,) of the centre (values, D) that is nearest to each latent (B, D)."""
    return torch.cdist(z, centres).argmin(dim=1)
