"""The dense denoising backbone for flat latents: a U-shape of linear layers with attention."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.config import DenoiserConfig
from latentbloom.nn.attention import FoldedAttention
from latentbloom.nn.backbones.conditioning import ConditionEmbedding, TimeEmbedding
from latentbloom.nn.blocks import zero_init

TOKENS = 16
HEADS = 4
LEVELS = 5  # widths 1, 2, 4, 2, 1


class DenseBlock(nn.Module):
    """Residual block of two linear layers with a condition, then attention inside the vector.

    Arguments:
        before: Numbers that come in.
        after: Numbers that go out.
        embedding: Length of the condition vector.
        head_width: Numbers an attention head.
    """

    def __init__(self, before: int, after: int, embedding: int, head_width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(before), nn.LayerNorm(after)
        self.linear1 = nn.Linear(before, after)
        self.linear2 = zero_init(nn.Linear(after, after))
        self.condition = nn.Linear(embedding, 2 * after)
        self.skip = nn.Linear(before, after) if before != after else nn.Identity()
        self.attention = FoldedAttention(after, TOKENS, HEADS, head_width)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """(B, before) to (B, after) under the condition vector c (B, embedding)."""
        shift, scale = self.condition(c).chunk(2, dim=1)
        h = self.linear1(F.silu(self.norm1(x)))
        h = self.linear2(F.silu(torch.addcmul(shift, self.norm2(h).to(shift.dtype), 1 + scale)))
        return self.attention(self.skip(x) + h)


class DenseUNet(nn.Module):
    """Backbone on flat latents: 256-512-1024-512-256 at width 256, with skips across.

    Arguments:
        config: Sizes; `depth` blocks are shared out over the five levels, at least one each.
        spec: The factors that it can be conditioned on.
        numbers: Length of one latent.
    """

    def __init__(self, config: DenoiserConfig, spec: ConditionSpec, numbers: int) -> None:
        super().__init__()
        w, d = config.width, config.width
        each = max(1, config.depth // LEVELS)

        def level(before: int, after: int) -> nn.ModuleList:
            widths = [before] + [after] * each
            return nn.ModuleList(
                DenseBlock(a, b, d, config.head_width) for a, b in itertools.pairwise(widths)
            )

        self.time = TimeEmbedding(d)
        self.condition = ConditionEmbedding(spec, d)
        self.first = nn.Linear(numbers, w)
        self.down1, self.down2 = level(w, w), level(w, 2 * w)
        self.middle = level(2 * w, 4 * w)
        self.up2, self.up1 = level(4 * w + 2 * w, 2 * w), level(2 * w + w, w)
        self.norm = nn.LayerNorm(w)
        self.last = zero_init(nn.Linear(w, numbers))

    def forward(self, x: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """Arguments: x (B, ...), t (B,) of order one, cond: LongTensor (B,) a factor."""
        c = F.silu(self.time(t) + self.condition(cond))  # (B, d)
        fine = _run(self.down1, self.first(x.flatten(1)), c)  # (B, w)
        coarse = _run(self.down2, fine, c)  # (B, 2 w)
        h = _run(self.middle, coarse, c)  # (B, 4 w)
        h = _run(self.up2, torch.cat([h, coarse], dim=1), c)
        h = _run(self.up1, torch.cat([h, fine], dim=1), c)
        return self.last(F.silu(self.norm(h))).reshape(x.shape)


def _run(blocks: nn.ModuleList, x: Tensor, c: Tensor) -> Tensor:
    for block in blocks:
        x = block(x, c)
    return x
