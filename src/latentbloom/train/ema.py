"""A running average of weights whose reach grows with the run."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


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


class Average(AveragedModel):
    """The average of a module's weights over the steps that it is trained.

    Step n sets average <- average + (1 - (1 - 1/n)^(gamma + 1)) (weights - average): the first step
    copies the weights, and later ones reach ever further back, so that there is no constant that
    a short run could get wrong. Buffers are copied.

    Arguments:
        module: The module that is trained, outside any wrapper.
        share: Width of the average as a share of the run so far.

    Attributes:
        module: Holds the averaged weights, in evaluation mode.
        n_averaged: Counts the steps.
    """

    def __init__(self, module: nn.Module, share: float) -> None:
        super().__init__(module, multi_avg_fn=self.take_in)
        self.exponent = exponent_for(share) + 1.0
        self.module.requires_grad_(False).eval()

    @torch.no_grad()
    def take_in(
        self,
        averages: tuple[Tensor, ...] | list[Tensor],
        weights: tuple[Tensor, ...] | list[Tensor],
        steps: Tensor | int,
    ) -> None:
        """Move averages towards weights, as the step after `steps` others does."""
        share = 1.0 - (1.0 - 1.0 / (int(steps) + 1)) ** self.exponent
        torch._foreach_lerp_(averages, weights, share)

    def gather(self) -> None:
        """Bring `module` up to date on the main process. A collective; here it always is."""

    def restore(self, tensors: Mapping[str, Tensor], steps: int) -> None:
        """Go on from stored averages of so many steps."""
        self.module.load_state_dict(tensors)
        self.n_averaged.fill_(steps)

    def lag(self, trained: nn.Module) -> float:
        """Distance to the trained weights, relative to these: 0 where they agree."""
        return relative_distance(list(self.module.parameters()), list(trained.parameters()))


@torch.no_grad()
def relative_distance(ours: list[Tensor], others: list[Tensor]) -> float:
    """Distance of two lists of tensors, relative to the second one; 0 where that is zero."""
    apart = whole = 0.0
    for one, other in zip(ours, others, strict=True):
        apart += float((one - other).square().sum())
        whole += float(other.square().sum())
    return (apart / whole) ** 0.5 if whole > 0.0 else 0.0
