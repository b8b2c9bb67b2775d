"""How many threads a CPU trains with: one is often as fast as two, and kinder to other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import torch

from latentbloom.config import RunConfig
from latentbloom.device import using_threads
from latentbloom.fitting.planning.speeds import Speeds

LATENTS_AN_IMAGE = 6.0  # latents that stage 2 usually sees for each image of stage 1
IDLE_COST = 1.05  # one thread may take this many times as long on an idle machine
SHORTEST_MINUTES = 5.0  # a shorter run has no seconds to spare for timing twice


def choose_threads(
    measure: Callable[[], Speeds], config: RunConfig, device: torch.device
) -> Speeds:
    """Time training with all threads and with one, and take one unless more are clearly faster.

    Nothing is timed twice where the choice is made: `train.threads` or OMP_NUM_THREADS is set,
    there is a GPU or a single thread, or the budget is in images and the run must be repeatable.

    Arguments:
        measure: Times both stages with the threads that PyTorch uses at the moment.
        config: The request.
        device: Where the run trains.

    Returns:
        The speeds with the threads that were chosen; `threads` is None where PyTorch's own
        number stays.
    """
    train = config.train
    if device.type != "cpu":
        return measure()
    if train.threads is not None:
        with using_threads(train.threads):
            return replace(measure(), threads=train.threads)
    most = torch.get_num_threads()
    short = train.minutes is None or train.minutes < SHORTEST_MINUTES
    if most == 1 or short or "OMP_NUM_THREADS" in os.environ:
        return measure()
    every = measure()
    with using_threads(1):
        one = measure()
    if _seconds(one) <= IDLE_COST * _seconds(every):
        return replace(one, threads=1)
    return replace(every, threads=most)


def _seconds(speeds: Speeds) -> float:
    """Seconds of training for each image of stage 1, with its share of stage 2."""
    first = 1.0 / speeds.images if speeds.images else 0.0  # pixel models have no stage 1
    return first + LATENTS_AN_IMAGE / speeds.latents
