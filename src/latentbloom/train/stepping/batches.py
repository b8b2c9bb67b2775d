"""The batches of a stage; on a GPU the next one is prepared while a step is computed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from latentbloom.train.order import Order, seed_step, step_seed
from latentbloom.train.stage import Batch, Stage


@dataclass
class _Prepared:
    """A batch, and the state of the CPU's random numbers once it is made."""

    images: int
    batch: Batch
    random: Tensor


class Batches:
    """Batches by the number of images seen before.

    A GPU computes a step while Python waits for its result. In that time `prepare` reads the next
    batch and sends it there. Its random numbers are those of its own step, and the step that is
    being computed keeps its own: with or without it the bits are the same.

    Arguments:
        stage: Makes the batches.
        seed: Of the run.
        rank: This process.
        world: How many there are; each takes every so-manieth row.
        ahead: Whether `prepare` does anything: not on a CPU, which would have to do both.
    """

    def __init__(self, stage: Stage, seed: int, rank: int, world: int, *, ahead: bool) -> None:
        self.stage = stage
        self.seed = seed
        self.order = Order(stage.num_images, seed, stage.weights)
        self._rank, self._world = rank, world
        self._ahead = ahead
        self._next: _Prepared | None = None

    def indices(self, images: int) -> list[int]:
        """The pictures of the whole batch after so many images."""
        return self.order.indices(images, self.stage.batch_size)

    def start(self, images: int) -> Batch:
        """Seed the step after so many images; returns this process's rows of its batch.

        After it, torch's random numbers are where making the batch has left them.
        """
        ready, self._next = self._next, None
        seed_step(self.stage.name, self.seed, images)
        if ready is None or ready.images != images:
            return self._make(images)
        torch.set_rng_state(ready.random)
        return ready.batch

    def prepare(self, images: int) -> None:
        """Make the batch after so many images now, for the next call of `start`."""
        if not self._ahead:
            return
        before = torch.get_rng_state()
        try:
            # The GPU's generator stays as it is: batches draw on the CPU.
            torch.default_generator.manual_seed(step_seed(self.stage.name, self.seed, images))
            batch = self._make(images)
            self._next = _Prepared(images, batch, torch.get_rng_state())
        finally:
            torch.set_rng_state(before)

    def forget(self) -> None:
        """Free what is prepared, where memory has run out."""
        self._next = None

    def _make(self, images: int) -> Batch:
        return self.stage.batch(self.indices(images), slice(self._rank, None, self._world))
