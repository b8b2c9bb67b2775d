"""Which cluster a sample belongs to: as often as training pictures of the same labels do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentbloom.diffusion.noise import noise_for

if TYPE_CHECKING:
    from latentbloom.conditions import Cond, ConditionSpec

CLUSTER = "\0cluster"
"""Entry of a batch's conditions beside the factors: a cluster's number from 1, or 0 for "any"."""


class Clusters:
    """Draws clusters for what is asked.

    A picture's draw depends on its labels, the seed and its number alone. Other labels seldom
    change it: the clusters run a race, in which each is the faster, the more pictures it has.

    Arguments:
        spec: The factors.
        rows: Labels, a cluster from 1 and a number of pictures, (M, factors + 2).
        count: How many clusters there are.
    """

    def __init__(self, spec: ConditionSpec, rows: Sequence[Sequence[int]], count: int) -> None:
        self.spec = spec
        self.count = count
        self.rows = torch.tensor(rows, dtype=torch.int64)

    def draw(self, cond: Cond, seed: int, indices: Sequence[int]) -> Tensor:
        """A cluster for each of n pictures.

        Arguments:
            cond: LongTensor (n,) for each factor.
            seed: The request's seed, any integer.
            indices: Numbers of the pictures in the request.

        Returns:
            LongTensor (n,), numbers from 1, on the CPU.
        """
        asked = torch.stack([cond[name].cpu() for name in self.spec.names], dim=1)  # (n, factors)
        different, which = asked.unique(dim=0, return_inverse=True)
        shares = torch.stack([self.shares(row) for row in different])[which]  # (n, count)
        # Of fewer than 16 numbers PyTorch makes others.
        noise = noise_for(seed, indices, (2, max(8, self.count)), stream="cluster").double()
        times = noise[..., : self.count].square().sum(dim=1) / shares  # half of it is exponential
        return 1 + times.argmin(dim=1)

    def shares(self, asked: Tensor) -> Tensor:
        """How often each cluster occurs (count,), in float64, with these labels.

        Of a combination that no picture shows, the pictures with most of its labels count.

        Arguments:
            asked: Indices (factors,), "any" among them.
        """
        labels, numbers, pictures = self.rows[:, :-2], self.rows[:, -2], self.rows[:, -1]
        known = torch.stack(
            [self.spec.known(name, asked[k]) for k, name in enumerate(self.spec.names)]
        )
        agreeing = ((labels == asked) & known).sum(dim=1)
        weights = pictures.double() * (agreeing == agreeing.max())
        found = torch.zeros(self.count, dtype=torch.float64)
        found.index_add_(0, numbers - 1, weights)
        return found / found.sum()
