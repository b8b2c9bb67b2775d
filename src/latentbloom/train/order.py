"""Pictures and random numbers of a step, as functions of the images seen so far.

There is no other state, so a resumed run continues as if it had never stopped.
Source of the idea: Karras et al. 2023, arXiv:2312.02696 (their training loop).
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

MOST_CATEGORIES = 1 << 24
"""That `torch.multinomial` can sample from."""


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
        self._permutation = torch.zeros(0, dtype=torch.long)  # a list would take four times as much

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
                sampled = _weighted(self.weights, generator)
            self._permutation = sampled
            self._epoch = epoch
        return int(self._permutation[place])


def _weighted(weights: Tensor, generator: torch.Generator) -> Tensor:
    """As many indices as there are weights, with replacement, LongTensor (count,)."""
    count = len(weights)
    if count <= MOST_CATEGORIES:
        return torch.multinomial(weights, count, replacement=True, generator=generator)
    # The same by hand: an index is as likely as its part of the sum of all weights.
    edges = weights.double().cumsum(0)
    places = torch.rand(count, dtype=torch.float64, generator=generator) * edges[-1]
    return torch.searchsorted(edges, places, right=True).clamp_max_(count - 1)


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
    numbers = combination_numbers(labels)
    counts = np.bincount(numbers)
    return torch.from_numpy(counts[numbers]).double().pow(-balance)


def combination_numbers(labels: Tensor) -> np.ndarray:
    """A number below N for each combination of labels, int64 (N,); equal where the labels are.

    `torch.unique(labels, dim=0)` would hold a tensor for each row: 250 bytes a picture.

    Arguments:
        labels: Indices (N, factors), 0 or more.
    """
    numbers = np.zeros(len(labels), np.int64)
    for column in labels.numpy().T:
        numbers = numbers * (int(column.max(initial=0)) + 1) + column
        if numbers.max(initial=0) >= max(len(numbers), 1):
            numbers = np.unique(numbers, return_inverse=True)[1]
    return numbers


def seed_step(stage: str, seed: int, images: int) -> None:
    """Seed torch's global generators for the step that starts after `images` images.

    The seed is the same on all processes: each draws the numbers of the whole batch and uses those
    of its own rows, so that a picture's numbers do not depend on how many processes there are.
    """
    torch.manual_seed(step_seed(stage, seed, images))


def step_seed(stage: str, seed: int, images: int) -> int:
    """The seed of the step that starts after `images` images."""
    return mix("step", stage, seed, 0, images)
