"""The convolutional denoising backbone for latent maps: a small U-Net."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.config import DenoiserConfig
from latentbloom.nn.attention import SelfAttention
from latentbloom.nn.backbones.conditioning import ConditionEmbedding, TimeEmbedding
from latentbloom.nn.blocks import Downsample, Upsample, conv3x3, zero_init

SMALLEST_SIDE = 4
PARTS = 4  # two levels, down and up


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalisation in at most 32 groups."""
    return nn.GroupNorm(math.gcd(32, channels), channels)


class ConditionedBlock(nn.Module):
    """Residual block that is scaled and shifted by time and condition.

    Arguments:
        before: Channels that come in.
        after: Channels that go out.
        embedding: Length of the condition vector.
    """

    def __init__(self, before: int, after: int, embedding: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = group_norm(before), group_norm(after)
        self.conv1 = conv3x3(before, after)
        self.conv2 = zero_init(conv3x3(after, after))
        self.condition = nn.Linear(embedding, 2 * after)
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """(B, before, h, w) to (B, after, h, w) under the condition vector c (B, embedding)."""
        shift, scale = self.condition(c)[:, :, None, None].chunk(2, dim=1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(torch.addcmul(shift, self.norm2(h).to(shift.dtype), 1 + scale)))
        return self.skip(x) + h


class UNet(nn.Module):
    """Backbone on maps of about 8x8: two levels, with attention over places on the coarse one.

    Arguments:
        config: Sizes; `depth` blocks are shared out over both levels, down and up, at least one
            each; the middle has another two.
        spec: The factors that it can be conditioned on.
        shape: Shape (C, h, w) of one input; with an odd or small side there is one level.
    """

    def __init__(
        self, config: DenoiserConfig, spec: ConditionSpec, shape: tuple[int, int, int]
    ) -> None:
        super().__init__()
        channels, height, width = shape
        w, d = config.width, config.width
        each = max(1, config.depth // PARTS)
        halve = not (height % 2 or width % 2) and min(height, width) >= SMALLEST_SIDE
        deep = 2 * w if halve else w
        self.time = TimeEmbedding(d)
        self.condition = ConditionEmbedding(spec, d)
        self.first = conv3x3(channels, w)
        self.down1 = nn.ModuleList(ConditionedBlock(w, w, d) for _ in range(each))
        self.shrink = Downsample(w, deep) if halve else nn.Identity()
        self.down2 = nn.ModuleList(ConditionedBlock(deep, deep, d) for _ in range(each))
        self.middle = nn.ModuleList(ConditionedBlock(deep, deep, d) for _ in range(2))
        self.attention = SelfAttention(deep, max(2, deep // config.head_width), config.head_width)
        self.up2 = nn.ModuleList(ConditionedBlock(2 * deep, deep, d) for _ in range(each))
        self.grow = Upsample(deep, w) if halve else nn.Identity()
        self.up1 = nn.ModuleList(ConditionedBlock(2 * w, w, d) for _ in range(each))
        self.norm = group_norm(w)
        self.last = zero_init(conv3x3(w, channels))

    def forward(self, x: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """Arguments: x (B, C, h, w), t (B,) of order one, cond: LongTensor (B,) a factor."""
        c = F.silu(self.time(t) + self.condition(cond))  # (B, d)
        h, fine = _down(self.down1, self.first(x), c)
        h, coarse = _down(self.down2, self.shrink(h), c)
        h = self.middle[0](h, c)
        tokens = h.flatten(2).transpose(1, 2)  # (B, places, deep)
        h = (tokens + self.attention(tokens)).transpose(1, 2).reshape(h.shape)
        h = self.middle[1](h, c)
        h = self.grow(_up(self.up2, h, coarse, c))
        h = _up(self.up1, h, fine, c)
        return self.last(F.silu(self.norm(h)))


def _down(blocks: nn.ModuleList, h: Tensor, c: Tensor) -> tuple[Tensor, list[Tensor]]:
    kept = []
    for block in blocks:
        h = block(h, c)
        kept.append(h)
    return h, kept


def _up(blocks: nn.ModuleList, h: Tensor, kept: list[Tensor], c: Tensor) -> Tensor:
    for block, skip in zip(blocks, reversed(kept), strict=True):
        h = block(torch.cat([h, skip], dim=1), c)
    return h
