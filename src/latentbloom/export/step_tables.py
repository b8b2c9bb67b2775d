"""A sampler as a table of numbers, so that any program can run it without a solver of its own.

Every deterministic sampler of this program is linear in the noise and in the estimates of the
denoiser. With x_1 the noise and x0_hat_j the estimate of evaluation j,

    x_t at evaluation i = row_i[0] x_1 + sum_{j < i} row_i[j + 1] x0_hat_j,

and the last row gives the latent of the picture. The rows are found by running the sampler itself
on unit vectors, so that they cannot differ from it.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from latentbloom.diffusion.sampling import bridge
from latentbloom.diffusion.schedule import Schedule
from latentbloom.diffusion.solvers import make_solver

STEPS = (4, 8, 12, 20, 30, 50)
"""Numbers of steps that every export has a table for."""


def step_table(sampler: str, schedule: Schedule, num_steps: int) -> dict[str, Any]:
    """The table of one sampler at one number of steps.

    Arguments:
        sampler: Name in `latentbloom.diffusion.SAMPLERS`, of one that adds no noise.
        schedule: The model's schedule.
        num_steps: Solver steps, at least 1.

    Returns:
        Its name and steps; for each evaluation of the denoiser its time `t`, `alpha` and `sigma`
        there, and whether it is a point of the path (`shows`) or a trial inside a step; and the
        rows, one more than there are evaluations.

    Raises:
        ConfigError: The sampler is unknown, or the number of steps is out of range.
    """
    solver = make_solver(sampler, schedule, num_steps)
    count = len(solver.levels)
    units = torch.eye(count + 1)[:, None, :, None, None]  # unit vectors (1, count + 1, 1, 1)
    x_s = units[0] * math.hypot(*solver.levels[0])
    times, rows = [], []
    for i, level in enumerate(solver.levels):
        t, scale = bridge(schedule, *level)
        times.append(t)
        rows.append([float(f"{value:.9g}") for value in (x_s * scale).flatten()[: i + 1].tolist()])
        x_s = solver.step(i, units[i + 1], x_s)
    rows.append([float(f"{value:.9g}") for value in x_s.flatten().tolist()])
    alpha, sigma = schedule(torch.tensor(times, dtype=torch.float64))
    return {
        "sampler": sampler,
        "num_steps": num_steps,
        "t": times,
        "alpha": alpha.tolist(),
        "sigma": sigma.tolist(),
        "shows": solver.shows,
        "rows": rows,
    }
