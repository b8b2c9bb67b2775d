"""PatchGAN discriminators: a score for each patch, not one for the whole picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PixelHead(nn.Module):
    """Four convolutions that score overlapping patches of pixels.

    Source: Isola et al. 2017, arXiv:1611.07004, section 3.2.2.

    Arguments:
        channels: Channels of the pictures.
        width: Channels of the first map; doubled at each halving.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(channels, width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(4 * width, 1, 3, stride=1, padding=1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (B, C, H, W) to scores (B, 1, H/8, W/8)."""
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), 0.2)
        return self.layers[-1](x)


class FeatureHead(nn.Module):
    """Scores each place of a frozen network's feature map, with its neighbours.

    Arguments:
        channels: Channels of the map, whose features have unit length at each place.
        width: Channels inside.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(channels, width, 3, padding=1)),
                spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
                spectral_norm(nn.Conv2d(width, 1, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to scores (B, 1, h, w)."""
        x = x * x.shape[1] ** 0.5  # each channel's mean square is 1
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), 0.2)
        return self.layers[-1](x)


class Balance(nn.Module):
    """The weight that makes the adversarial gradient as strong as all others together.

    A step's own measurement (`latentbloom.losses.adversarial.adaptive_weight`) varies by a factor
    of ten from batch to batch and takes two more backward passes through the perceptual network.
    So one step in `EVERY` measures it, and a running geometric mean serves all steps.

    Attributes:
        weight: The mean, a scalar.
        steps: Adversarial steps so far.
    """

    EVERY = 4
    KEPT = 0.8

    weight: Tensor
    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @property
    def due(self) -> bool:
        """Whether this step measures it."""
        return int(self.steps) % self.EVERY == 0

    def measured(self, weight: Tensor) -> None:
        """Take in the measurement of a step."""
        kept = self.KEPT if int(self.steps) else 0.0
        self.weight.copy_(self.weight.pow(kept) * weight.pow(1.0 - kept))


class PatchDiscriminator(nn.Module):
    """Scores for patches of pixels and, where given, for places of feature maps.

    With pretrained features it learns to tell real from reconstructed pictures in a few hundred
    steps; with pixels alone it needs many thousand. Source: Sauer et al. 2021, arXiv:2111.01007.
    Spectral normalisation bounds the slope, as the hinge loss requires: Miyato et al. 2018,
    arXiv:1802.05957.

    Arguments:
        channels: Channels of the pictures.
        feature_channels: Channels of each feature map; empty for pixels alone.
        width: Channels of the first pixel map and of the feature heads.
    """

    def __init__(self, channels: int, feature_channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.pixels = PixelHead(channels, width)
        self.heads = nn.ModuleList(FeatureHead(c, width) for c in feature_channels)
        self.balance = Balance()

    def forward(self, images: Tensor, maps: Sequence[Tensor]) -> list[Tensor]:
        """Scores, positive for real.

        Arguments:
            images: Shape (B, C, H, W), values in [-1, 1].
            maps: Feature maps of those pictures, or of the first ones of them, of unit length at
                each place.

        Returns:
            One tensor (B', 1, h, w) a head, the pixels' first.
        """
        scores = [self.pixels(images)]
        scores += [head(x) for head, x in zip(self.heads, maps, strict=True)]
        return [score.float() for score in scores]


def build_discriminator(
    channels: int, feature_channels: Sequence[int], width: int
) -> PatchDiscriminator:
    """A discriminator laid out for fast convolutions."""
    model = PatchDiscriminator(channels, feature_channels, width)
    return model.to(memory_format=torch.channels_last)
