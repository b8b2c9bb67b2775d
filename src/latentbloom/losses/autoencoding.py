"""Losses of an autoencoder alone: of its reconstructions and of its posteriors."""

from __future__ import annotations

from torch import Tensor

from latentbloom.nn.autoencoders.base import Posterior


def reconstruction_loss(images: Tensor, reconstruction: Tensor) -> Tensor:
    """Mean absolute error per pixel value, for values in [-1, 1].

    Arguments:
        images: Shape (B, C, H, W), values in [-1, 1].
        reconstruction: Same shape.

    Returns:
        Shape (B,).
    """
    return (reconstruction.float() - images.float()).abs().mean(dim=(1, 2, 3))


def kl_loss(posterior: Posterior) -> Tensor:
    r"""Mean over latent dimensions of KL(N(mean, std^2) || N(0, 1)), in nats.

    .. math:: \frac{1}{2} (\mu^2 + \sigma^2 - 1) - \log \sigma

    Returns:
        Shape (B,). Source: Kingma and Welling 2013, arXiv:1312.6114, appendix B.
    """
    mean, std = posterior
    return (0.5 * (mean.square() + std.square() - 1.0) - std.log()).mean(dim=(1, 2, 3))
