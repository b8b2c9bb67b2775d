"""The `swift` denoising backbone: a transformer over patches of the latent map."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.config import DenoiserConfig
from latentbloom.nn.backbones.conditioning import ConditionEmbedding, TimeEmbedding
from latentbloom.nn.blocks import zero_init


class Block(nn.Module):
    """Attention and a gated feed-forward layer, each scaled, shifted and gated by the condition.

    The gates start at zero, so a new block is the identity. Source: Peebles and Xie 2022,
    arXiv:2212.09748 (adaLN-Zero); Shazeer 2020, arXiv:2002.05202 (SwiGLU).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        hidden = 32 * round(width * 8 / 3 / 32)
        self.up = nn.Linear(width, 2 * hidden)
        self.down = nn.Linear(hidden, width)
        self.modulation = zero_init(nn.Linear(width, 6 * width))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        """Tokens (B, T, D) under the vector c (B, D) of time and conditions."""
        shift1, scale1, gate1, shift2, scale2, gate2 = (
            self.modulation(c).unsqueeze(1).chunk(6, dim=-1)
        )
        x = x + gate1 * self.attend(modulate(x, shift1, scale1))
        return x + gate2 * self.feed(modulate(x, shift2, scale2))

    def attend(self, x: Tensor) -> Tensor:
        """Multi-head self-attention.

        Written out: with a few dozen tokens the score matrix is small, and the fused kernel's
        backward pass on a processor takes longer than all other layers together.
        """
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) * (d // self.heads) ** -0.5  # (B, heads, T, T)
        h = scores.softmax(dim=-1).to(v.dtype) @ v  # (B, heads, T, D / heads)
        return self.out(h.transpose(1, 2).reshape(b, n, d))

    def feed(self, x: Tensor) -> Tensor:
        """SwiGLU feed-forward layer."""
        a, b = self.up(x).chunk(2, dim=-1)
        return self.down(F.silu(a) * b)


class Transformer(nn.Module):
    """Backbone on maps; the output has the shape of the input.

    Arguments:
        config: Sizes.
        spec: The factors that it can be conditioned on.
        shape: Shape (C, h, w) of one input; h and w are multiples of `config.patch`.

    Attributes:
        keep_tokens_of: Number of a block, from 1, whose tokens a forward pass in training keeps; 0
            keeps none.
        kept_tokens: These tokens (B, T, D), with their gradient.
    """

    def __init__(
        self, config: DenoiserConfig, spec: ConditionSpec, shape: tuple[int, int, int]
    ) -> None:
        super().__init__()
        channels, height, width = shape
        self.width = config.width
        self.keep_tokens_of = 0
        self.kept_tokens: Tensor | None = None
        self.patch = config.patch
        self.grid = (height // config.patch, width // config.patch)
        tokens = self.grid[0] * self.grid[1]
        d = config.width
        values = channels * config.patch**2
        self.embed = nn.Linear(values, d)
        self.position = nn.Parameter(0.02 * torch.randn(1, tokens, d))
        self.time = TimeEmbedding(d)
        self.condition = ConditionEmbedding(spec, d)
        heads = max(1, d // config.head_width)
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(config.depth))
        self.final_modulation = zero_init(nn.Linear(d, 2 * d))
        self.final = zero_init(nn.Linear(d, values))

    def forward(self, x: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """Arguments: x (B, C, h, w), t (B,) of order one, cond: LongTensor (B,) a factor."""
        return self.transformed(x, self.context(t, cond))

    def context(self, t: Tensor, cond: Cond) -> Tensor:
        """The vector (B, D) of time and conditions.

        Conditions are added after the nonlinearity, so that the effect of a factor on the
        modulation does not depend on the other factors.
        """
        return F.silu(self.time(t)) + self.condition(cond)

    def transformed(self, x: Tensor, c: Tensor) -> Tensor:
        """The map x, cut into tokens, through all blocks under c (B, D), and back to a map."""
        h = self.embed(self.to_tokens(x))  # (B, T, D), in the lower precision under autocast
        h = h + self.position.to(h.dtype)
        for number, block in enumerate(self.blocks, 1):
            h = block(h, c)
            if self.training and number == self.keep_tokens_of:
                self.kept_tokens = h
        shift, scale = self.final_modulation(c).unsqueeze(1).chunk(2, dim=-1)
        return self.to_map(self.final(modulate(h, shift, scale)))

    def to_tokens(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, T, C p p)."""
        return F.pixel_unshuffle(x, self.patch).flatten(2).transpose(1, 2)

    def to_map(self, tokens: Tensor) -> Tensor:
        """(B, T, C p p) to (B, C, h, w)."""
        maps = tokens.transpose(1, 2).unflatten(2, self.grid)
        return F.pixel_shuffle(maps, self.patch)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Normalise each token, then scale and shift it."""
    normalised = F.layer_norm(x, x.shape[-1:]).to(scale.dtype)
    return torch.addcmul(shift, normalised, 1 + scale)
