"""A running average of weights whose reach grows with the run."""

from __future__ import annotations

import functools

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


def average_of(module: nn.Module, share: float) -> AveragedModel:
    """The average of a module's weights over the steps that it is trained.

    Step n sets average <- average + (1 - (1 - 1/n)^(gamma + 1)) (weights - average): the first step
    copies the weights, and later ones reach ever further back, so that there is no constant that
    a short run could get wrong. Buffers are copied.

    Arguments:
        module: The module that is trained, outside any wrapper.
        share: Width of the average as a share of the run so far.

    Returns:
        Its `update_parameters(module)` takes in a step; `module` holds the averaged weights, in
        evaluation mode; `n_averaged` counts the steps.
    """
    exponent = exponent_for(share) + 1.0

    @torch.no_grad()
    def take_in(
        averages: tuple[Tensor, ...] | list[Tensor],
        weights: tuple[Tensor, ...] | list[Tensor],
        steps: Tensor | int,
    ) -> None:
        torch._foreach_lerp_(averages, weights, 1.0 - (1.0 - 1.0 / (int(steps) + 1)) ** exponent)

    averaged = AveragedModel(module, multi_avg_fn=take_in)
    averaged.module.requires_grad_(False).eval()
    return averaged


@torch.no_grad()
def lag(averaged: nn.Module, trained: nn.Module) -> float:
    """Distance of averaged weights to the trained ones, relative to these: 0 where they agree."""
    apart = whole = 0.0
    for average, weight in zip(averaged.parameters(), trained.parameters(), strict=True):
        apart += float((average - weight).square().sum())
        whole += float(weight.square().sum())
    return (apart / whole) ** 0.5 if whole > 0.0 else 0.0
