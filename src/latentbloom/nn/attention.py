"""Attention inside convolutional networks and over a folded latent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentbloom.nn.blocks import zero_init


class ChannelAttention(nn.Module):
    """Scales channels by factors from the mean of the whole map (squeeze and excitation).

    Source: Hu et al. 2017, arXiv:1709.01507, section 3.

    Arguments:
        channels: Channels of the map.
        reduction: Channels over hidden channels; at least 4 hidden ones stay.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(4, channels // reduction)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden), nn.SiLU(), nn.Linear(hidden, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), each channel times a factor in (0, 1)."""
        weights = self.mlp(x.mean(dim=(2, 3))).sigmoid()  # (B, C)
        return x * weights[:, :, None, None]


class SpatialAttention(nn.Module):
    """Scales places by factors from the mean and the maximum over channels around them.

    Source: Woo et al. 2018, arXiv:1807.06521 (CBAM), section 3.

    Arguments:
        kernel: Side of the neighbourhood, odd.
    """

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), each place times a factor in (0, 1)."""
        summary = torch.stack([x.mean(dim=1), x.amax(dim=1)], dim=1)  # (B, 2, H, W)
        return x * self.conv(summary).sigmoid()


class SelfAttention(nn.Module):
    """Multi-head self-attention over tokens; its output, to be added to them, is 0 at first.

    Arguments:
        width: Dimensions of a token.
        heads: Attention heads.
        head_width: Dimensions of a head; the tokens are projected to heads * head_width.
    """

    def __init__(self, width: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, head_width
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * heads * head_width)
        self.out = zero_init(nn.Linear(heads * head_width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, T, D) to the same shape."""
        b, n, _ = x.shape
        qkv = self.qkv(self.norm(x)).view(b, n, 3, self.heads, self.head_width)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, T, head_width) each
        scores = q @ k.transpose(-2, -1) * self.head_width**-0.5  # (B, heads, T, T)
        h = scores.softmax(dim=-1).to(v.dtype) @ v
        return self.out(h.transpose(1, 2).reshape(b, n, -1))


class FoldedAttention(nn.Module):
    """Self-attention inside a flat vector: it is cut into tokens that attend to each other.

    With the whole vector as one token, the softmax would be 1 and attention a linear layer.

    Arguments:
        width: Dimensions of the vector, a multiple of `tokens`.
        tokens: Number of tokens that it is cut into.
        heads: Attention heads.
        head_width: Dimensions of a head.
    """

    def __init__(self, width: int, tokens: int, heads: int, head_width: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.position = nn.Parameter(0.02 * torch.randn(1, tokens, width // tokens))
        self.attention = SelfAttention(width // tokens, heads, head_width)

    def forward(self, x: Tensor) -> Tensor:
        """Vectors (B, D) to the same shape."""
        tokens = x.unflatten(1, (self.tokens, -1))  # (B, T, D / T)
        placed = tokens + self.position.to(tokens.dtype)
        return (tokens + self.attention(placed)).flatten(1)
