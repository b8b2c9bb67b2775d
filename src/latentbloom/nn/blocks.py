"""Building blocks of the models."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def zero_init(layer: Layer) -> Layer:
    """Set a layer to zero, so that the residual block that it ends starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def conv3x3(in_channels: int, out_channels: int, *, bias: bool = True) -> nn.Conv2d:
    """A 3x3 convolution that keeps height and width."""
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=bias)


class ResBlock(nn.Module):
    """Residual block without normalisation: x + conv(act(conv(act(x)))).

    Normalisation layers take as much time on a CPU as the convolutions beside them. A last
    convolution that starts at zero gives the same stability.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = zero_init(conv3x3(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        h = self.conv1(F.leaky_relu(x, 0.1))
        return x + self.conv2(F.leaky_relu(h, 0.1))  # (B, C, H, W)


class Downsample(nn.Module):
    """Halve height and width: 2x2 pixels are folded into channels, then mixed by a 1x1."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H/2, W/2)."""
        return self.conv(x)


class Upsample(nn.Module):
    """Double height and width: a convolution makes 4 pixels' worth of channels, then unfold."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(in_channels, 4 * out_channels)
        _same_for_each_subpixel(self.conv, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', 2H, 2W)."""
        return F.pixel_shuffle(self.conv(x), 2)


@torch.no_grad()
def _same_for_each_subpixel(conv: nn.Conv2d, subpixels: int) -> None:
    """Equal initial weights for the channels that become neighbouring pixels.

    Without it the unfolding starts as a checkerboard. Source: Aitken et al. 2017,
    arXiv:1707.02937.
    """
    weight = conv.weight[::subpixels].repeat_interleave(subpixels, dim=0)
    conv.weight.copy_(weight)
    if conv.bias is not None:
        conv.bias.copy_(conv.bias[::subpixels].repeat_interleave(subpixels, dim=0))


def fourier_features(t: Tensor, dim: int, max_frequency: float = 1000.0) -> Tensor:
    """Sines and cosines of a scalar at frequencies from 1 to `max_frequency`.

    Arguments:
        t: Scalars of order one, shape (B,).
        dim: Even number of features.

    Returns:
        Shape (B, dim), float32.
    """
    half = dim // 2
    exponents = torch.arange(half, device=t.device, dtype=torch.float32) / max(half - 1, 1)
    frequencies = torch.exp(exponents * math.log(max_frequency))
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)
