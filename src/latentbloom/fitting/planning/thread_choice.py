"""How many threads and processes a CPU trains with.

Two threads of one process are often no faster than one. Two processes of one thread, which share
each batch and average their gradients, often are.
"""

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
MOST_PROCESSES = 4
SEVERAL_COST = 0.87  # several processes must take at most this share of the time of one
SLOWEST_IMAGES = 10.0  # a second; slower models are large, and use several threads well
MEMORY = 2 << 30  # bytes that must be free for each process

Together = Callable[[int, int], Speeds]
"""Times both stages in so many new processes of so many threads each."""


def choose_threads(
    measure: Callable[[], Speeds],
    config: RunConfig,
    device: torch.device,
    *,
    together: Together | None = None,
) -> Speeds:
    """Time training with all threads, with one, and with several processes of few threads.

    One thread is taken unless more are clearly faster, and one process likewise. Nothing is timed
    twice where the choice is made: `train.threads` or OMP_NUM_THREADS is set, there is a GPU or a
    single thread, or the budget is in images and the run must be repeatable.

    Arguments:
        measure: Times both stages with the threads that PyTorch uses at the moment.
        config: The request.
        device: Where the run trains.
        together: Times several processes; None where they must not be started.

    Returns:
        The speeds with what was chosen; `threads` is None where PyTorch's own number stays.
    """
    train = config.train
    if device.type != "cpu":
        return measure()
    if together is not None and (train.processes or 1) > 1:
        count = train.processes or 1
        threads = train.threads or max(1, torch.get_num_threads() // count)
        return replace(together(count, threads), threads=threads, processes=count)
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
    best = replace(every, threads=most)
    if _seconds(one) <= IDLE_COST * _seconds(every):
        best = replace(one, threads=1)
    count = min(most, MOST_PROCESSES)
    small = best.latents if best.images == 0.0 else best.images
    if together is None or train.processes == 1 or small < SLOWEST_IMAGES or not _fits(count):
        return best
    several = together(count, most // count)
    if _seconds(several) <= SEVERAL_COST * _seconds(best):
        return replace(several, threads=most // count, processes=count)
    return best


def _fits(processes: int) -> bool:
    import psutil

    return psutil.virtual_memory().available >= processes * MEMORY


def _seconds(speeds: Speeds) -> float:
    """Seconds of training for each image of stage 1, with its share of stage 2."""
    first = 1.0 / speeds.images if speeds.images else 0.0  # pixel models have no stage 1
    return first + LATENTS_AN_IMAGE / speeds.latents
