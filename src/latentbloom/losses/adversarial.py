"""Losses of discriminator and autoencoder against each other, and the weight between them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_over(values: Tensor, expected: float | None = None) -> Tensor:
    """Sum of the rows' means over `expected`: a piece's contribution to the mean over a batch.

    Arguments:
        values: Shape (B, ...); B may be 0.
        expected: Rows to divide by; default B, which gives the mean.

    Returns:
        A scalar.
    """
    if not len(values):
        return values.sum()
    if expected is None or expected == len(values):
        return values.mean()
    return values.mean() * (len(values) / expected)


def _expected(scores: Sequence[Tensor], rows: Sequence[float] | None) -> Sequence[float | None]:
    return [None] * len(scores) if rows is None else rows


def hinge_discriminator_loss(
    real_scores: Sequence[Tensor],
    fake_scores: Sequence[Tensor],
    rows: Sequence[float] | None = None,
) -> Tensor:
    r"""Push scores of real patches above 1 and those of reconstructed ones below -1.

    .. math:: \frac{1}{2} (\max(0, 1 - D(x)) + \max(0, 1 + D(\hat x)))

    Arguments:
        real_scores: One tensor (B, 1, h, w) per head; heads have equal weight.
        fake_scores: The same for reconstructions.
        rows: For each head, the rows to divide by, as in `mean_over`; default those there are.

    Returns:
        A scalar, the mean over heads, pictures and patches. Source: Lim and Ye 2017,
        arXiv:1705.02894.
    """
    losses = [
        0.5 * (mean_over(F.relu(1.0 - real), n) + mean_over(F.relu(1.0 + fake), n))
        for real, fake, n in zip(
            real_scores, fake_scores, _expected(real_scores, rows), strict=True
        )
    ]
    return torch.stack(losses).mean()


def hinge_generator_loss(
    fake_scores: Sequence[Tensor], rows: Sequence[float] | None = None
) -> Tensor:
    """Minus the mean score of reconstructed patches, a scalar; heads have equal weight."""
    pairs = zip(fake_scores, _expected(fake_scores, rows), strict=True)
    return -torch.stack([mean_over(score, n) for score, n in pairs]).mean()


def bce_discriminator_loss(
    real_scores: Sequence[Tensor],
    fake_scores: Sequence[Tensor],
    rows: Sequence[float] | None = None,
) -> Tensor:
    r"""Binary cross-entropy of scores as log-odds of being real, in nats.

    .. math:: \frac{1}{2} (\log(1 + e^{-D(x)}) + \log(1 + e^{D(\hat x)}))

    Returns:
        A scalar, the mean over heads, pictures and patches; log 2 for a random guess. Source:
        Goodfellow et al. 2014, arXiv:1406.2661, equation 1.
    """
    losses = [
        0.5 * (mean_over(F.softplus(-real), n) + mean_over(F.softplus(fake), n))
        for real, fake, n in zip(
            real_scores, fake_scores, _expected(real_scores, rows), strict=True
        )
    ]
    return torch.stack(losses).mean()


def bce_generator_loss(
    fake_scores: Sequence[Tensor], rows: Sequence[float] | None = None
) -> Tensor:
    """Cross-entropy of reconstructed patches against "real" in nats, a scalar; equal heads."""
    pairs = zip(fake_scores, _expected(fake_scores, rows), strict=True)
    return torch.stack([mean_over(F.softplus(-score), n) for score, n in pairs]).mean()


ADVERSARIAL_LOSSES = {
    "hinge": (hinge_discriminator_loss, hinge_generator_loss),
    "bce": (bce_discriminator_loss, bce_generator_loss),
}


def discriminator_accuracy(
    real_scores: Sequence[Tensor],
    fake_scores: Sequence[Tensor],
    rows: Sequence[float] | None = None,
) -> Tensor:
    """Share of patches on the right side of zero, a scalar in [0, 1]; equal heads."""
    shares = [
        0.5 * (mean_over((real > 0).float(), n) + mean_over((fake < 0).float(), n))
        for real, fake, n in zip(
            real_scores, fake_scores, _expected(real_scores, rows), strict=True
        )
    ]
    return torch.stack(shares).mean()


def adaptive_weight(main: Tensor, adversarial: Tensor) -> Tensor:
    r"""Weight at which the adversarial gradient at the last layer is as large as all others.

    .. math:: \lambda = \frac{\lVert \nabla_L \mathcal{L}_{main} \rVert}
        {\lVert \nabla_L \mathcal{L}_{adv} \rVert + 10^{-6}}, \quad \lambda \le 10^4

    Measured at the weights of the last layer and not at the pixels: the gradient of an absolute
    error changes sign from pixel to pixel and cancels over a picture; a discriminator's does not.

    Arguments:
        main: Gradient of the other losses by the last layer's weights.
        adversarial: Gradient of the adversarial loss by the same weights.

    Returns:
        A scalar. Source: Esser et al. 2020, arXiv:2012.09841, equation 7.
    """
    return (main.norm() / (adversarial.norm() + 1e-6)).clamp_max(1e4).detach()
