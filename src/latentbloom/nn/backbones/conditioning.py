"""Time and conditions as vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.nn.blocks import fourier_features


class ConditionEmbedding(nn.Module):
    """A learned vector for each value of each factor, "any" included, summed over factors.

    Arguments:
        spec: The factors.
        width: Length of the vector.
    """

    def __init__(self, spec: ConditionSpec, width: int) -> None:
        super().__init__()
        self.names = spec.names
        tables = [nn.Embedding(f.num_embeddings, width) for f in spec.factors]
        for table in tables:
            nn.init.normal_(table.weight, std=0.02)
        self.tables = nn.ModuleList(tables)

    def forward(self, cond: Cond) -> Tensor:
        """Shape (B, width)."""
        vectors = [table(cond[name]) for name, table in zip(self.names, self.tables, strict=True)]
        return torch.stack(vectors).sum(dim=0)


class TimeEmbedding(nn.Module):
    """A vector for the scalar time, of order one, that the denoiser passes in.

    Arguments:
        width: Length of the vector.
        features: Number of sines and cosines that it is made of.
    """

    def __init__(self, width: int, features: int = 128) -> None:
        super().__init__()
        self.features = features
        self.mlp = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """Shape (B,) to (B, width)."""
        features = fourier_features(t, self.features)
        return self.mlp(features.to(next(self.mlp.parameters()).dtype))
