"""Losses of stage 1, as pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from latentbloom.nn.autoencoders.base import Posterior


def reconstruction_loss(images: Tensor, reconstruction: Tensor) -> Tensor:
    """Mean absolute error of a pixel, in units of the range [-1, 1].

    Arguments:
        images: Shape (B, C, H, W), values in [-1, 1].
        reconstruction: Same shape.

    Returns:
        Shape (B,).
    """
    return (reconstruction.float() - images.float()).abs().mean(dim=(1, 2, 3))


def kl_loss(posterior: Posterior) -> Tensor:
    r"""Mean over latent numbers of KL(N(mean, std^2) || N(0, 1)), in nats.

    .. math:: \frac{1}{2} (\mu^2 + \sigma^2 - 1) - \log \sigma

    Returns:
        Shape (B,). Source: Kingma and Welling 2013, arXiv:1312.6114, appendix B.
    """
    mean, std = posterior
    return (0.5 * (mean.square() + std.square() - 1.0) - std.log()).mean(dim=(1, 2, 3))


def hinge_discriminator_loss(
    real_scores: Sequence[Tensor], fake_scores: Sequence[Tensor]
) -> Tensor:
    r"""Push scores of real patches above 1 and those of reconstructed ones below -1.

    .. math:: \frac{1}{2} (\max(0, 1 - D(x)) + \max(0, 1 + D(\hat x)))

    Arguments:
        real_scores: One tensor (B, 1, h, w) a head; heads count alike.
        fake_scores: The same for reconstructions.

    Returns:
        A scalar, the mean over heads, pictures and patches. Source: Lim and Ye 2017,
        arXiv:1705.02894.
    """
    losses = [
        0.5 * (F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean())
        for real, fake in zip(real_scores, fake_scores, strict=True)
    ]
    return torch.stack(losses).mean()


def hinge_generator_loss(fake_scores: Sequence[Tensor]) -> Tensor:
    """Minus the mean score of reconstructed patches; heads count alike. A scalar."""
    return -torch.stack([score.mean() for score in fake_scores]).mean()


def bce_discriminator_loss(real_scores: Sequence[Tensor], fake_scores: Sequence[Tensor]) -> Tensor:
    r"""Binary cross-entropy of scores as log-odds of being real, in nats.

    .. math:: \frac{1}{2} (\log(1 + e^{-D(x)}) + \log(1 + e^{D(\hat x)}))

    Returns:
        A scalar, the mean over heads, pictures and patches; log 2 for guessing. Source:
        Goodfellow et al. 2014, arXiv:1406.2661, equation 1.
    """
    losses = [
        0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())
        for real, fake in zip(real_scores, fake_scores, strict=True)
    ]
    return torch.stack(losses).mean()


def bce_generator_loss(fake_scores: Sequence[Tensor]) -> Tensor:
    """Cross-entropy of reconstructed patches against "real", nats; heads count alike. A scalar."""
    return torch.stack([F.softplus(-score).mean() for score in fake_scores]).mean()


ADVERSARIAL_LOSSES = {
    "hinge": (hinge_discriminator_loss, hinge_generator_loss),
    "bce": (bce_discriminator_loss, bce_generator_loss),
}


def discriminator_accuracy(real_scores: Sequence[Tensor], fake_scores: Sequence[Tensor]) -> Tensor:
    """Share of patches on the right side of zero, a scalar in [0, 1]; heads count alike."""
    shares = [
        0.5 * ((real > 0).float().mean() + (fake < 0).float().mean())
        for real, fake in zip(real_scores, fake_scores, strict=True)
    ]
    return torch.stack(shares).mean()


def adaptive_weight(main: Tensor, adversarial: Tensor) -> Tensor:
    r"""How much the adversarial loss must weigh to push the last layer as hard as all others.

    .. math:: \lambda = \frac{\lVert \nabla_L \mathcal{L}_{main} \rVert}
        {\lVert \nabla_L \mathcal{L}_{adv} \rVert + 10^{-6}}, \quad \lambda \le 10^4

    Measured at the weights of the last layer and not at the pixels: an absolute error pushes each
    pixel its own way and cancels over a picture, while a discriminator pushes all alike.

    Arguments:
        main: Gradient of the other losses by the last layer's weights.
        adversarial: Gradient of the adversarial loss by the same weights.

    Returns:
        A scalar. Source: Esser et al. 2020, arXiv:2012.09841, equation 7.
    """
    return (main.norm() / (adversarial.norm() + 1e-6)).clamp_max(1e4).detach()


def ramp(progress: float, start: float, full: float) -> float:
    """0 before `start`, 1 from `full` on, a straight line between."""
    if progress >= full:
        return 1.0
    if progress <= start:
        return 0.0
    return (progress - start) / (full - start)


def psnr(images: Tensor, reconstruction: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of pictures in [-1, 1], shape (B,)."""
    mse = (images.float() - reconstruction.float()).square().mean(dim=(1, 2, 3))
    return 10.0 * torch.log10(4.0 / mse.clamp_min(1e-10))
