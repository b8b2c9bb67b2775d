"""The times that samplers step through. Training has others, see `objective.sample_times`."""

from __future__ import annotations

import torch
from torch import Tensor

from latentbloom.diffusion.schedule import Schedule
from latentbloom.errors import check_count, check_number

MOST_STEPS = 100_000


def time_grid(schedule: Schedule, num_steps: int, shift: float = 1.0) -> Tensor:
    """The times of a solver's steps, on the model's schedule.

    Even steps from t_max: t_i = t_max (1 - i / num_steps), passed through
    t -> shift t / (1 + (shift - 1) t), which for shift > 1 puts more steps at high noise. If
    the last one would be below t_min, the grid is rescaled to [t_min, t_max].

    Arguments:
        schedule: The model's schedule.
        num_steps: Number of steps, from 1 to 100,000.
        shift: Positive and finite; 1 leaves the grid even.

    Returns:
        num_steps decreasing times, float64; the solver's last step goes to 0.

    Raises:
        ConfigError: A number is out of range.

    Source: Lin et al., Common Diffusion Noise Schedules and Sample Steps are Flawed
    (arXiv:2305.08891), table 2; shift: Esser et al. (arXiv:2403.03206), eq. 23.
    """
    check_count("num_steps", num_steps, most=MOST_STEPS)
    check_number("shift", shift, positive=True, hint="; 1 means even steps")
    t = torch.arange(num_steps, 0, -1, dtype=torch.float64) / num_steps
    t = shift * t / (1 + (shift - 1) * t)
    last = float(t[-1])
    if schedule.t_max * last >= schedule.t_min:
        return schedule.t_max * t
    return schedule.t_min + (schedule.t_max - schedule.t_min) * (t - last) / (1 - last)
