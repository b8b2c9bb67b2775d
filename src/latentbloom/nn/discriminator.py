"""PatchGAN discriminator: a verdict for each patch, not one for the whole picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Four convolutions that judge overlapping patches of about 30 pixels.

    Spectral normalisation bounds its slope, which the hinge loss needs when batches are small.
    Source: Isola et al. 2017, arXiv:1611.07004, section 3.2.2; Miyato et al. 2018,
    arXiv:1802.05957.

    Arguments:
        channels: Channels of the pictures.
        width: Channels of the first map; doubled at each halving.
    """

    def __init__(self, channels: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(channels, width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(2 * width, 4 * width, 3, stride=1, padding=1)),
                spectral_norm(nn.Conv2d(4 * width, 1, 3, stride=1, padding=1)),
            ]
        )

    def forward(self, images: Tensor) -> Tensor:
        """Scores, positive for real.

        Arguments:
            images: Shape (B, C, H, W), values in [-1, 1].

        Returns:
            Shape (B, 1, H/4, W/4), one score a patch.
        """
        h = images
        for layer in self.layers[:-1]:
            h = F.leaky_relu(layer(h), 0.2)
        return self.layers[-1](h).float()


def build_discriminator(channels: int, width: int = 64) -> PatchDiscriminator:
    """A discriminator laid out for fast convolutions."""
    return PatchDiscriminator(channels, width).to(memory_format=torch.channels_last)
