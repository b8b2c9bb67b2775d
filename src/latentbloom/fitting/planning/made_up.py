"""Latents and feature maps that are made up, to time steps of stage 2 before there are any."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from latentbloom.conditions import Cond, ConditionSpec

COUNT = 1024


class MadeUpLatents:
    """Zeros behind the interface of `LatentCache`, with labels by turns.

    Arguments:
        shape: Shape (C, h, w) of one latent.
        spec: The factors.
    """

    mirrored = True
    fingerprint = ""

    def __init__(self, shape: tuple[int, int, int], spec: ConditionSpec) -> None:
        self.shape = shape
        sizes = torch.tensor([len(factor.values) for factor in spec.factors])
        self.labels = torch.arange(COUNT)[:, None] % sizes

    def __len__(self) -> int:
        return COUNT

    def posterior(
        self, indices: Sequence[int], mirrored: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean 0 and standard deviation 1, (B, C, h, w) each."""
        del mirrored
        mean = torch.zeros(len(indices), *self.shape)
        return mean, torch.ones_like(mean)

    def cond(self, spec: ConditionSpec, indices: Sequence[int]) -> Cond:
        """For each factor a LongTensor (B,)."""
        rows = self.labels[list(indices)]
        return {name: rows[:, column].clone() for column, name in enumerate(spec.names)}


class MadeUpMaps:
    """Noise behind the interface of `FeatureMaps`.

    Arguments:
        grid: Places (h, w) of a map.
    """

    channels = 320  # of the last map of EfficientNet-Lite0

    def __init__(self, grid: tuple[int, int]) -> None:
        self.grid = grid

    def rows(self, indices: Sequence[int], mirrored: Sequence[int] | None = None) -> Tensor:
        """Features (B, h w, channels), float32."""
        del mirrored
        return torch.randn(len(indices), self.grid[0] * self.grid[1], self.channels)
