"""What every autoencoder has: a posterior and a normalisation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from latentbloom.config import AutoencoderConfig

LatentShape = tuple[int, int, int]


class Posterior(NamedTuple):
    """A diagonal Gaussian over latents.

    Attributes:
        mean: Shape (B, C, h, w).
        std: Same shape, positive.
    """

    mean: Tensor
    std: Tensor

    def sample(self, eps: Tensor) -> Tensor:
        """Mean + std * eps, with `eps` standard normal noise of the same shape."""
        return self.mean + self.std * eps


class Autoencoder(nn.Module):
    """Base of the autoencoders: normalisation around `encode_raw` and `decode_raw`.

    `encode` and `decode` use normalised latents: per channel (raw - shift) / scale, where the
    two are the mean and the standard deviation of all training latents. Until
    `set_normalisation` they are 0 and 1, and raw and normalised latents are the same.

    Arguments:
        config: Family and sizes; see `AutoencoderConfig`.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.latent_shape = latent_shape_of(config)
        self.register_buffer("shift", torch.zeros(self.latent_shape[0]))
        self.register_buffer("scale", torch.ones(self.latent_shape[0]))

    def encode_raw(self, images: Tensor) -> Posterior:
        """Posterior over raw latents.

        Arguments:
            images: Shape (B, C, H, W), values in [-1, 1].
        """
        raise NotImplementedError

    def decode_raw(self, z: Tensor) -> Tensor:
        """Pictures (B, C, H, W) of raw latents. May overshoot [-1, 1] a little."""
        raise NotImplementedError

    @property
    def last_layer(self) -> nn.Conv2d | nn.ConvTranspose2d:
        """The layer that outputs the pixels; the adversarial weight is measured there."""
        raise NotImplementedError

    def forward(self, images: Tensor, eps: Tensor) -> tuple[Tensor, Posterior]:
        """Reconstruction through a sampled raw latent, for training.

        Arguments:
            images: Shape (B, C, H, W), values in [-1, 1].
            eps: Standard normal noise of the latents' shape.

        Returns:
            The reconstruction and the posterior over raw latents.
        """
        posterior = self.encode_raw(images)
        return self.decode_raw(posterior.sample(eps)), posterior

    def encode(self, images: Tensor) -> Posterior:
        """Posterior over normalised latents."""
        mean, std = self.encode_raw(images)
        return Posterior(
            (mean - self._column(self.shift)) / self._column(self.scale),
            std / self._column(self.scale),
        )

    def decode(self, z: Tensor) -> Tensor:
        """Pictures in [-1, 1] of normalised latents (B, C, h, w)."""
        return self.decode_raw(self.to_raw(z)).float().clamp(-1.0, 1.0)

    def to_raw(self, z: Tensor) -> Tensor:
        """Raw latents of normalised ones (B, C, h, w)."""
        return z * self._column(self.scale) + self._column(self.shift)

    @torch.no_grad()
    def set_normalisation(self, shift: Tensor, scale: Tensor) -> None:
        """Store the mean and the standard deviation (C,) of the training set's raw latents."""
        self.shift.copy_(shift)
        self.scale.copy_(scale)

    @staticmethod
    def _column(values: Tensor) -> Tensor:
        return values[None, :, None, None]


def latent_shape_of(config: AutoencoderConfig) -> LatentShape:
    """Shape (C, h, w) of one picture's latent: (4, 8, 8) for swift at 64x64."""
    if config.family == "classic":
        return (config.latent_numbers, 1, 1)
    if config.family == "pixel":
        return (config.channels, config.size, config.size)
    side = config.size // config.reduction
    return (config.latent_channels, side, side)


def bounded_posterior(parameters: Tensor) -> Posterior:
    """Posterior from means and log-variances (B, 2 C, h, w); the latter are shifted and bounded.

    With a bounded variance a single unusual picture cannot make the KL term explode. The standard
    deviation starts at exp(-2), small beside the means, which training brings to about unit size.
    """
    mean, log_var = parameters.chunk(2, dim=1)
    log_var = (log_var - 4.0).clamp(-12.0, 2.0)
    return Posterior(mean, torch.exp(0.5 * log_var))
