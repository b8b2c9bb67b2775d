"""Sampling: states from noise to picture, for samples, paths and animations alike.

The solver and the model need not share a schedule. At equal signal-to-noise ratio, two Gaussian
noise schedules differ only by a factor. So at each evaluation the solver's point x_s at
(alpha_s, sigma_s) becomes the model's

    t: log-SNR of the model at t = log(alpha_s^2 / sigma_s^2),
    x_t = x_s alpha_t / alpha_s.

The factor is computed as the ratio of sqrt(alpha^2 + sigma^2), which has the same value and is
finite at alpha_s = 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentbloom.diffusion.denoiser import Cond, X0Denoiser
from latentbloom.diffusion.schedule import Schedule
from latentbloom.diffusion.solvers import Solver, find_sampler, make_solver

FEWEST_NOISY = 16
"""Fewer steps are taken without noise of their own, unless such a sampler is asked for."""


@dataclass(frozen=True)
class State:
    """One state on the path from noise to picture.

    Attributes:
        t: Time in the model's schedule: close to 1 at the first state, 0 at the last.
        x_t: The point on the path (B, ...), in the model's scale: alpha_t x0 + sigma_t eps.
        x0_hat: The denoiser's estimate of x0 (B, ...); at the last state x_t itself.
        step: Index of this state: 0, 1, ..., num_steps.
        num_steps: Number of steps of the run, so that step / num_steps is its progress.
    """

    t: float
    x_t: Tensor
    x0_hat: Tensor
    step: int
    num_steps: int


def sample_states(
    denoiser: X0Denoiser,
    x_1: Tensor,
    cond: Cond,
    *,
    sampler: str = "dpm++",
    num_steps: int = 20,
    shift: float = 1.0,
    generators: Sequence[torch.Generator] | None = None,
) -> Iterator[State]:
    """Denoise, and yield every state on the path.

    Arguments:
        denoiser: A denoiser, guided or not, in evaluation mode.
        x_1: Standard normal noise (B, ...), for example from `noise_for`. float64 is kept by
            ddpm and ddim; the other solvers of diffusers step in float32.
        cond: LongTensor (B,) for each factor, on x_1's device.
        sampler: A name in `SAMPLERS`.
        num_steps: Steps, at least 1. The denoiser runs once a step; with "heun" twice, except
            at the last step. "ddpm" with 1000 on a "linear" model is DDPM's ancestral sampling.
        shift: Positive; above 1 puts more steps at high noise, see `time_grid`.
        generators: One for each row, for samplers that add noise ("ddpm"). Each row uses only
            its own, so a picture does not depend on its batch.

    Returns:
        An iterator over num_steps + 1 states; the last has t = 0 and the pictures. States are
        computed one by one as they are read; bad arguments raise at once.

    Raises:
        ConfigError: The sampler is unknown, or a number is out of range.
        ValueError: The sampler adds noise and there is not one generator a row.
    """
    solver = make_solver(sampler, denoiser.schedule, num_steps, shift=shift)
    if solver.stochastic and (generators is None or len(generators) != len(x_1)):
        raise ValueError(
            f"'{sampler}' adds noise at each step: give it one generator a row ({len(x_1)}), "
            "for example generators_for(seed, indices)."
        )
    return _run(denoiser, x_1, cond, solver, num_steps, generators or ())


def steady_sampler(name: str) -> str:
    """The sampler itself, or "dpm++" in place of one that adds noise at its steps.

    What a path starts from then says all: near noise gives near pictures.

    Raises:
        ConfigError: The name is unknown.
    """
    return "dpm++" if find_sampler(name).stochastic else name


def suited_sampler(name: str, num_steps: int) -> str:
    """A default sampler for so many steps: few steps cannot take out the noise that they add.

    Raises:
        ConfigError: The name is unknown.
    """
    return name if num_steps >= FEWEST_NOISY else steady_sampler(name)


@torch.no_grad()  # as a decorator it is safe on a generator: between states the caller's mode holds
def _run(
    denoiser: X0Denoiser,
    x_1: Tensor,
    cond: Cond,
    solver: Solver,
    num_steps: int,
    generators: Sequence[torch.Generator],
) -> Iterator[State]:
    x_s = x_1.to(torch.promote_types(x_1.dtype, torch.float32))
    x_s = x_s * math.hypot(*solver.levels[0])  # the spread of unit-variance data at that level
    step = 0
    for i, level in enumerate(solver.levels):
        t, scale = bridge(denoiser.schedule, *level)
        x_t = x_s * scale
        times = torch.full((len(x_t),), t, dtype=x_t.dtype, device=x_t.device)
        x0_hat = denoiser(x_t, times, cond)
        if solver.shows[i]:
            yield State(t, x_t, x0_hat, step, num_steps)
            step += 1
        x_s = solver.step(i, x0_hat, x_s, generators)
    yield State(0.0, x_s, x_s, num_steps, num_steps)


def bridge(schedule: Schedule, alpha_s: float, sigma_s: float) -> tuple[float, float]:
    """Find a solver's noise level on the model's schedule.

    Arguments:
        schedule: The model's schedule.
        alpha_s: The solver's signal scale, at least 0.
        sigma_s: The solver's noise scale, positive.

    Returns:
        (t, scale): the time of equal signal-to-noise ratio, inside [t_min, t_max], and the
        factor that takes x_s to x_t.
    """
    log_snr = 2 * (math.log(alpha_s) - math.log(sigma_s)) if alpha_s > 0 else -math.inf
    t = schedule.t_from_log_snr(torch.tensor(log_snr, dtype=torch.float64))
    alpha_t, sigma_t = schedule(t)
    return float(t), math.hypot(float(alpha_t), float(sigma_t)) / math.hypot(alpha_s, sigma_s)


def sample(
    denoiser: X0Denoiser,
    x_1: Tensor,
    cond: Cond,
    *,
    sampler: str = "dpm++",
    num_steps: int = 20,
    shift: float = 1.0,
    generators: Sequence[torch.Generator] | None = None,
) -> Tensor:
    """The pictures of the last state of `sample_states`, with the same arguments and errors.

    Returns:
        x0 (B, ...), of x_1's dtype, at least float32.
    """
    x0 = x_1
    for state in sample_states(
        denoiser,
        x_1,
        cond,
        sampler=sampler,
        num_steps=num_steps,
        shift=shift,
        generators=generators,
    ):
        x0 = state.x_t
    return x0
