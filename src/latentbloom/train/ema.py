"""A running average of weights whose length follows the length of the run."""

from __future__ import annotations

import copy
import functools

import torch
from torch import Tensor, nn


@functools.cache
def exponent_for(share: float) -> float:
    """The exponent gamma whose average has relative width `share`.

    The average weighs the weights at time s by s^gamma. Its standard deviation, relative to the
    run's length so far, is sqrt(gamma + 1) / ((gamma + 2) sqrt(gamma + 3)), which falls
    with gamma, so that bisection finds it.
    Source: Karras et al. 2023, arXiv:2312.02696, section 3.1.

    Arguments:
        share: Relative width, above 0 and at most 0.28 (a plain mean of everything).
    """
    low, high = 0.0, 1e6
    for _ in range(200):
        gamma = (low + high) / 2
        width = (gamma + 1) ** 0.5 / ((gamma + 2) * (gamma + 3) ** 0.5)
        low, high = (gamma, high) if width > share else (low, gamma)
    return low


class EMA:
    """Average of a module's weights, with no free constant that a short run could get wrong.

    Step n sets average <- average + (1 - (1 - 1/n)^(gamma + 1)) (weights - average): the first step
    copies, and the reach into the past grows with n.

    Arguments:
        module: The module that is trained.
        share: Width of the average as a share of the run so far.
    """

    def __init__(self, module: nn.Module, share: float) -> None:
        self.share = share
        self.module = copy.deepcopy(module).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after step `step`, counted from 1. Buffers are copied."""
        take = 1.0 - (1.0 - 1.0 / step) ** (exponent_for(self.share) + 1.0)
        averages: list[Tensor] = list(self.module.parameters())
        currents: list[Tensor] = [p.detach() for p in module.parameters()]
        torch._foreach_lerp_(averages, currents, float(take))
        for average, current in zip(self.module.buffers(), module.buffers(), strict=True):
            average.copy_(current)

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return self.module.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore the averaged weights."""
        self.module.load_state_dict(state)
