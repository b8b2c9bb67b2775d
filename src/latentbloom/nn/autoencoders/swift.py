"""The `swift` autoencoder: few wide maps, which a CPU's matrix units compute fast."""

from __future__ import annotations

from torch import Tensor, nn

from latentbloom.config import AutoencoderConfig
from latentbloom.nn.autoencoders.base import Autoencoder, Posterior, bounded_posterior
from latentbloom.nn.blocks import Downsample, ResBlock, Upsample, conv3x3


class SwiftAutoencoder(Autoencoder):
    """Variational autoencoder with a small map of latents.

    Arguments:
        config: Sizes; see `AutoencoderConfig`.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__(config)
        wide, deep, z = config.width, 2 * config.width, config.latent_channels
        fine = max(16, wide // 4)
        pixels = config.channels
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        if config.reduction == 16:
            down = [Downsample(deep, deep), *(ResBlock(deep) for _ in range(config.blocks))]
            up = [*(ResBlock(deep) for _ in range(config.blocks)), Upsample(deep, deep)]
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),  # (B, 16 C, H/4, W/4)
            conv3x3(16 * pixels, wide),
            *(ResBlock(wide) for _ in range(config.blocks)),
            Downsample(wide, deep),  # (B, deep, H/8, W/8)
            *(ResBlock(deep) for _ in range(config.blocks)),
            *down,  # (B, deep, H/16, W/16), where that is wanted
            nn.LeakyReLU(0.1),
            conv3x3(deep, 2 * z),
        )
        self.decoder = nn.Sequential(
            conv3x3(z, deep),
            *up,
            *(ResBlock(deep) for _ in range(config.blocks)),
            Upsample(deep, wide),  # (B, wide, H/4, W/4)
            *(ResBlock(wide) for _ in range(config.blocks + 1)),
            Upsample(wide, fine),  # (B, fine, H/2, W/2)
            ResBlock(fine),
            nn.LeakyReLU(0.1),
            conv3x3(fine, 4 * pixels),
            nn.PixelShuffle(2),  # (B, C, H, W)
        )

    def encode_raw(self, images: Tensor) -> Posterior:
        """Posterior over raw latents of pictures (B, C, H, W) in [-1, 1]."""
        return bounded_posterior(self.encoder(images).float())

    def decode_raw(self, z: Tensor) -> Tensor:
        """Pictures (B, C, H, W) of raw latents. May overshoot [-1, 1] a little."""
        return self.decoder(z)

    @property
    def last_layer(self) -> nn.Conv2d:
        """The convolution that outputs the pixels."""
        layer = self.decoder[-2]
        assert isinstance(layer, nn.Conv2d)
        return layer
