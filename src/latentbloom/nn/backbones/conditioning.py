"""Time and conditions as vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.diffusion.cluster_draw import CLUSTER
from latentbloom.nn.blocks import fourier_features


class ConditionEmbedding(nn.Module):
    """A learned vector for each value of each factor, "any" included, summed over factors.

    Arguments:
        spec: The factors.
        width: Length of the vector.
        clusters: Clusters that pictures belong to, beside what is asked of them; 0: none. A batch
            that names no `CLUSTER` leaves it open.
    """

    def __init__(self, spec: ConditionSpec, width: int, clusters: int = 0) -> None:
        super().__init__()
        self.names = spec.names
        tables = [nn.Embedding(f.num_embeddings, width) for f in spec.factors]
        for table in tables:
            nn.init.normal_(table.weight, std=0.02)
        self.tables = nn.ModuleList(tables)
        self.clusters: nn.Embedding | None = None
        if clusters:
            self.clusters = nn.Embedding(clusters + 1, width)
            nn.init.normal_(self.clusters.weight, std=0.02)

    def forward(self, cond: Cond) -> Tensor:
        """Shape (B, width)."""
        vectors = [table(cond[name]) for name, table in zip(self.names, self.tables, strict=True)]
        if self.clusters is not None:
            number = cond.get(CLUSTER)
            open_ = torch.zeros_like(cond[self.names[0]]) if number is None else number
            vectors.append(self.clusters(open_))
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
