"""Pictures and random numbers of a step, as functions of the images seen so far.

There is no other state, so a resumed run continues as if it had never stopped.
Source of the idea: Karras et al. 2023, arXiv:2312.02696 (their training loop).
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def mix(*parts: int | str) -> int:
    """A 63-bit seed from numbers and words. Any change gives an unrelated seed."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Order:
    """An endless order of pictures: a fresh permutation each epoch, or a fresh weighted sample.

    Arguments:
        count: Number of pictures.
        seed: Decides the permutations.
        weights: Sampling weight of each picture, (count,), up to a factor; an epoch is then `count`
            samples with replacement. None shows each picture once an epoch.
    """

    def __init__(self, count: int, seed: int, weights: Tensor | None = None) -> None:
        self.count = count
        self.seed = seed
        self.weights = weights
        self._epoch = -1
        self._permutation: list[int] = []

    def indices(self, start: int, batch_size: int) -> list[int]:
        """The pictures at positions `start` to `start + batch_size` of the order."""
        return [self._at(position) for position in range(start, start + batch_size)]

    def _at(self, position: int) -> int:
        epoch, place = divmod(position, self.count)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(mix("order", self.seed, epoch))
            if self.weights is None:
                sampled = torch.randperm(self.count, generator=generator)
            else:
                sampled = torch.multinomial(
                    self.weights, self.count, replacement=True, generator=generator
                )
            self._permutation = sampled.tolist()
            self._epoch = epoch
        return self._permutation[place]


def tempered_weights(labels: Tensor, balance: float) -> Tensor:
    """Sampling weights that show rare labels more often.

    A picture whose combination of labels occurs n times gets n^(-balance): 0 changes nothing, 1
    makes all combinations equally frequent.

    Arguments:
        labels: Indices (N, factors).
        balance: In [0, 1].

    Returns:
        float64 (N,), up to a factor.
    """
    _, inverse, counts = torch.unique(labels, dim=0, return_inverse=True, return_counts=True)
    return counts[inverse].double().pow(-balance)


def seed_step(stage: str, seed: int, rank: int, images: int) -> None:
    """Seed torch's global generators for the step that starts after `images` images."""
    torch.manual_seed(mix("step", stage, seed, rank, images))
