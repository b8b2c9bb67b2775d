"""The `swift` denoising backbone: convolutions on the whole map, a transformer in the middle."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.config import DenoiserConfig
from latentbloom.nn.backbones.transformer import Transformer
from latentbloom.nn.blocks import conv3x3, zero_init


class ModulatedBlock(nn.Module):
    """Residual convolutions, scaled and shifted by the condition in between; starts as identity.

    Arguments:
        channels: Channels of the map.
        context: Length of the condition vector.
    """

    def __init__(self, channels: int, context: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = zero_init(conv3x3(channels, channels))
        self.modulation = zero_init(nn.Linear(context, 2 * channels))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """(B, channels, h, w) under the vector c (B, context) to the same shape."""
        shift, scale = self.modulation(c)[:, :, None, None].chunk(2, dim=1)
        h = self.conv1(x)
        return x + self.conv2(F.silu(torch.addcmul(shift, h.to(shift.dtype), 1 + scale)))


class Hourglass(Transformer):
    """A transformer that sees the map at a part of its side, between convolutions on all of it.

    Tokens carry the layout of the picture; the convolutions before and after them, with a
    connection past the transformer, its fine detail. Source: Crowson et al. 2024,
    arXiv:2401.11605 (their fine levels attend to neighbours; these convolve).

    Arguments:
        config: Sizes; `config.stem` channels on the whole map.
        spec: The factors that it can be conditioned on.
        shape: Shape (C, h, w) of one input; h and w are multiples of `config.patch`.
    """

    def __init__(
        self, config: DenoiserConfig, spec: ConditionSpec, shape: tuple[int, int, int]
    ) -> None:
        channels, height, width = shape
        stem = config.stem or 0
        super().__init__(config, spec, (stem, height, width))
        # The convolution after it starts at zero instead; two zeros in a row would learn nothing.
        self.final = nn.Linear(self.final.in_features, self.final.out_features)
        self.first = conv3x3(channels, stem)
        self.before = ModulatedBlock(stem, config.width)
        self.after = ModulatedBlock(stem, config.width)
        self.last = zero_init(conv3x3(stem, channels))

    def forward(self, x: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """Arguments: x (B, C, h, w), t (B,) of order one, cond: LongTensor (B,) a factor."""
        c = self.context(t, cond)
        h = self.before(self.first(x), c)
        return self.last(self.after(h + self.transformed(h, c), c))
