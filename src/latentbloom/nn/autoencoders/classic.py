"""The `classic` autoencoder: residual blocks with attention around a flat latent with classes."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentbloom.conditions import ConditionSpec
from latentbloom.config import AutoencoderConfig
from latentbloom.nn.attention import ChannelAttention, SpatialAttention
from latentbloom.nn.autoencoders.base import Autoencoder, Posterior, bounded_posterior
from latentbloom.nn.blocks import conv3x3, zero_init

HALVINGS = 3


class LayerNorm2d(nn.Module):
    """Normalises the channels at each place, then scales and shifts them.

    Source: Ba et al. 2016, arXiv:1607.06450, over the channel axis of a map.

    Arguments:
        channels: Channels of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class AttentiveBlock(nn.Module):
    """Residual block: (norm, Swish, convolution) twice, then channel and spatial attention.

    Starts as the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.norm1, self.norm2 = LayerNorm2d(channels), LayerNorm2d(channels)
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = zero_init(conv3x3(channels, channels))
        self.attention = nn.Sequential(ChannelAttention(channels), SpatialAttention())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return x + self.attention(h)


class LatentClasses(nn.Module):
    """Labels in the latent: for each factor a classifier, and a centre for each value.

    Arguments:
        dimensions: Length of the flat latent.
        spec: The factors.
    """

    def __init__(self, dimensions: int, spec: ConditionSpec) -> None:
        super().__init__()
        self.names = spec.names
        counts = [len(factor.values) for factor in spec.factors]
        self.heads = nn.ModuleList(nn.Linear(dimensions, count) for count in counts)
        self.centres = nn.ParameterList(0.1 * torch.randn(count, dimensions) for count in counts)

    def logits(self, z: Tensor) -> dict[str, Tensor]:
        """For raw latents (B, D), logits (B, values) of each factor."""
        return {name: head(z) for name, head in zip(self.names, self.heads, strict=True)}

    def centres_of(self) -> dict[str, Tensor]:
        """Centres (values, D) of each factor, in raw latents."""
        return dict(zip(self.names, self.centres, strict=True))


class ClassicAutoencoder(Autoencoder):
    """Variational autoencoder with a flat latent (D, 1, 1).

    Three halvings, 64-128-256-512 channels at `base_width` 64; the decoder uses transposed
    convolutions.

    Arguments:
        config: Sizes; see `AutoencoderConfig`.
        spec: The factors; without them there is no classifier and there are no centres.
    """

    def __init__(self, config: AutoencoderConfig, spec: ConditionSpec | None = None) -> None:
        super().__init__(config)
        dimensions = config.latent_numbers
        widths = [config.base_width * 2**level for level in range(HALVINGS + 1)]
        side, deepest = config.size // 2**HALVINGS, widths[-1]
        down: list[nn.Module] = [conv3x3(config.channels, widths[0])]
        up: list[nn.Module] = []
        for fine, coarse in itertools.pairwise(widths):
            down += [AttentiveBlock(fine) for _ in range(config.blocks)]
            down.append(nn.Conv2d(fine, coarse, 4, stride=2, padding=1))
        for coarse, fine in itertools.pairwise(reversed(widths)):
            up += [AttentiveBlock(coarse) for _ in range(config.blocks)]
            up.append(nn.ConvTranspose2d(coarse, fine, 4, stride=2, padding=1))
        down += [AttentiveBlock(deepest) for _ in range(config.blocks)]
        up += [AttentiveBlock(widths[0]) for _ in range(config.blocks)]
        self.encoder = nn.Sequential(*down, LayerNorm2d(deepest), nn.SiLU())
        self.to_latent = nn.Linear(deepest * side**2, 2 * dimensions)  # means and log-variances
        self.from_latent = nn.Linear(dimensions, deepest * side**2)
        self.decoder = nn.Sequential(*up, LayerNorm2d(widths[0]), nn.SiLU())
        self.pixels = conv3x3(widths[0], config.channels)
        self.classes = LatentClasses(dimensions, spec) if spec is not None else None
        self._map = (deepest, side, side)

    def encode_raw(self, images: Tensor) -> Posterior:
        """Posterior over raw latents (B, D, 1, 1) of pictures (B, C, H, W) in [-1, 1]."""
        parameters = self.to_latent(self.encoder(images).flatten(1))
        return bounded_posterior(parameters.float()[:, :, None, None])

    def decode_raw(self, z: Tensor) -> Tensor:
        """Pictures (B, C, H, W) of raw latents (B, D, 1, 1)."""
        h = self.from_latent(z.flatten(1)).unflatten(1, self._map)
        h = h.contiguous(memory_format=torch.channels_last)
        return self.pixels(self.decoder(h))

    @property
    def last_layer(self) -> nn.Conv2d:
        """The convolution that outputs the pixels."""
        return self.pixels
