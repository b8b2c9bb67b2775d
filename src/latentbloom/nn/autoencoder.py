"""The `swift` autoencoder: few wide maps that keep a processor's matrix units busy."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from latentbloom.config import AutoencoderConfig
from latentbloom.nn.blocks import Downsample, ResBlock, Upsample, conv3x3


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
    """Variational autoencoder with a small map of latents and their normalisation.

    `encode` and `decode` speak normalised latents: per channel (raw - shift) / scale, where the
    two are the mean and the standard deviation of all training latents. Until
    `set_normalisation` they are 0 and 1, and raw and normalised latents are the same.

    Arguments:
        config: Sizes; see `AutoencoderConfig`.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        wide, deep, z = config.width, 2 * config.width, config.latent_channels
        fine = max(16, wide // 4)
        pixels = config.channels
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),  # (B, 16 C, H/4, W/4)
            conv3x3(16 * pixels, wide),
            *(ResBlock(wide) for _ in range(config.blocks)),
            Downsample(wide, deep),  # (B, deep, H/8, W/8)
            *(ResBlock(deep) for _ in range(config.blocks)),
            nn.LeakyReLU(0.1),
            conv3x3(deep, 2 * z),
        )
        self.decoder = nn.Sequential(
            conv3x3(z, deep),
            *(ResBlock(deep) for _ in range(config.blocks)),
            Upsample(deep, wide),  # (B, wide, H/4, W/4)
            *(ResBlock(wide) for _ in range(config.blocks + 1)),
            Upsample(wide, fine),  # (B, fine, H/2, W/2)
            ResBlock(fine),
            nn.LeakyReLU(0.1),
            conv3x3(fine, 4 * pixels),
            nn.PixelShuffle(2),  # (B, C, H, W)
        )
        self.register_buffer("shift", torch.zeros(z))
        self.register_buffer("scale", torch.ones(z))

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Shape of one picture's latent: (4, 8, 8) at 64x64."""
        side = self.config.size // 8
        return (self.config.latent_channels, side, side)

    def encode_raw(self, images: Tensor) -> Posterior:
        """Posterior over raw latents.

        Arguments:
            images: Shape (B, C, H, W), values in [-1, 1].
        """
        mean, log_var = self.encoder(images).float().chunk(2, dim=1)
        # A bounded variance keeps one odd picture from blowing up the KL term. At the start the
        # deviation is exp(-2), small beside the unit-sized means that training settles on.
        log_var = (log_var - 4.0).clamp(-12.0, 2.0)
        return Posterior(mean, torch.exp(0.5 * log_var))

    def decode_raw(self, z: Tensor) -> Tensor:
        """Pictures (B, C, H, W) of raw latents. May overshoot [-1, 1] a little."""
        return self.decoder(z)

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
        raw = z * self._column(self.scale) + self._column(self.shift)
        return self.decode_raw(raw).float().clamp(-1.0, 1.0)

    @torch.no_grad()
    def set_normalisation(self, shift: Tensor, scale: Tensor) -> None:
        """Store the mean and the standard deviation (C,) of the training set's raw latents."""
        self.shift.copy_(shift)
        self.scale.copy_(scale)

    @property
    def last_layer(self) -> nn.Conv2d:
        """The convolution that makes the pixels."""
        layer = self.decoder[-2]
        assert isinstance(layer, nn.Conv2d)
        return layer

    @staticmethod
    def _column(values: Tensor) -> Tensor:
        return values[None, :, None, None]


def build_autoencoder(config: AutoencoderConfig) -> Autoencoder:
    """The autoencoder that a configuration asks for."""
    return Autoencoder(config).to(memory_format=torch.channels_last)
