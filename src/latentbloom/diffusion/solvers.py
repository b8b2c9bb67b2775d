"""diffusers' schedulers behind one interface: noise levels, and a step between them.

Every solver gets the same grid of times, evenly spaced in the time of the schedule that the
model was trained on, from pure noise down to 1 / num_steps (and from there to 0): "trailing"
spacing, on every schedule. diffusers gets it in the form that each scheduler accepts:

* those that work on a variance-preserving schedule (ddpm, ddim, dpm++, unipc) are built with
  exactly num_steps training steps whose betas lie on the grid, so that each training step is a
  sampling step. Spacing a 1000-step schedule instead would be inexact whenever num_steps does
  not divide 1000: diffusers' DDIM then steps by 1000 // num_steps while its grid does not;
* those that work on the straight line (euler, heun) are given the grid as sigmas.

In both cases the scheduler does not know the model's schedule. `Solver.levels` holds the
(alpha_s, sigma_s) that it uses, after its own rounding. `sampling` evaluates the model at the
time with the same signal-to-noise ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from latentbloom.diffusion.grid import time_grid
from latentbloom.diffusion.schedule import Schedule
from latentbloom.errors import ConfigError


class Solver:
    """One run of one diffusers scheduler. It keeps state: make a new one for each run.

    Attributes:
        levels: (alpha_s, sigma_s) of each evaluation of the model, noisiest first.
        shows: For each evaluation, whether it is at a point of the path (True) or a trial
            inside a step (False).
    """

    def __init__(
        self,
        scheduler: Any,
        levels: list[tuple[float, float]],
        *,
        output: Literal["x0", "flow"],
        shows: list[bool] | None = None,
        stochastic: bool = False,
    ) -> None:
        self.scheduler = scheduler
        self.levels = levels
        self.output = output
        self.shows = shows or [True] * len(levels)
        self.stochastic = stochastic

    def step(
        self, i: int, x0_hat: Tensor, x_s: Tensor, generators: Sequence[torch.Generator] = ()
    ) -> Tensor:
        """Go from level i to level i + 1, in the solver's own space.

        Arguments:
            i: Number of the evaluation; they must come in order.
            x0_hat: Estimate at level i (B, ...).
            x_s: The point on the path (B, ...), x_s = alpha_s x0 + sigma_s eps.
            generators: One for each row, for solvers that add noise.

        Returns:
            x_s at level i + 1, or the picture after the last one; x_s's shape and dtype.
        """
        output = x0_hat
        if self.output == "flow":  # x_s = (1 - sigma) x0 + sigma eps, u = eps - x0
            output = (x_s - x0_hat) / self.levels[i][1]
        timestep = self.scheduler.timesteps[i]
        extra = {"generator": list(generators)} if self.stochastic else {}
        result = self.scheduler.step(output, timestep, x_s, return_dict=False, **extra)
        return result[0].to(x_s.dtype)


@dataclass(frozen=True)
class Sampler:
    """An entry of the registry.

    Arguments:
        description: One line for help texts.
        build: Makes a new `Solver` from the grid's levels (alpha, sigma).
        stochastic: Whether it adds noise at its steps.
        evaluations: Evaluations of the model in a run of n steps.
    """

    description: str
    build: Callable[[list[tuple[float, float]]], Solver]
    stochastic: bool = False
    evaluations: Callable[[int], int] = int


def make_solver(sampler: str, schedule: Schedule, num_steps: int, *, shift: float = 1.0) -> Solver:
    """Make a solver on the grid of `time_grid`.

    Raises:
        ConfigError: The sampler is unknown, or a number is out of range.
    """
    entry = find_sampler(sampler)
    alpha, sigma = schedule(time_grid(schedule, num_steps, shift))
    return entry.build(list(zip(alpha.tolist(), sigma.tolist(), strict=True)))


def find_sampler(name: str) -> Sampler:
    """The sampler of that name.

    Raises:
        ConfigError: The name is unknown; the message lists the known ones.
    """
    if name not in SAMPLERS:
        raise ConfigError(
            f"'{name}' is no sampler. Choose one of: {', '.join(SAMPLERS)}. Each in a line:\n"
            f"{describe_samplers()}"
        )
    return SAMPLERS[name]


def describe_samplers() -> str:
    """A line for each sampler, for help texts and messages."""
    width = max(map(len, SAMPLERS))
    return "\n".join(f"  {name:<{width}}  {s.description}" for name, s in SAMPLERS.items())


def _vp_settings(levels: list[tuple[float, float]]) -> dict[str, Any]:
    """Settings with which a scheduler's training steps are the grid itself.

    Its step j (0 is the cleanest) has alpha_bar_j = alpha^2 / (alpha^2 + sigma^2), and
    beta_j = 1 - alpha_bar_j / alpha_bar_{j-1}, with alpha_bar_{-1} = 1.
    """
    alpha, sigma = torch.tensor(levels[::-1], dtype=torch.float64).T
    log_alpha_bar = -torch.log1p((sigma / alpha).square())
    log_ratio = torch.diff(log_alpha_bar, prepend=log_alpha_bar.new_zeros(1))
    return {
        "num_train_timesteps": len(levels),
        "trained_betas": (-torch.expm1(log_ratio)).tolist(),
        "prediction_type": "sample",
        "timestep_spacing": "trailing",
    }


def _vp_levels(alpha_bar: Tensor) -> list[tuple[float, float]]:
    """Levels from a scheduler's alpha_bar in float32, noisiest first."""
    alpha_bar = alpha_bar.flip(0)
    # 1 - alpha_bar in float32, as the scheduler itself computes it, then on in float64.
    scales = [alpha_bar.double().sqrt(), (1 - alpha_bar).double().sqrt()]
    return [(float(alpha), float(sigma)) for alpha, sigma in zip(*scales, strict=True)]


def _ddim(levels: list[tuple[float, float]]) -> Solver:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    scheduler = DDIMScheduler(**_vp_settings(levels), clip_sample=False)
    scheduler.set_timesteps(len(levels))
    return Solver(scheduler, _vp_levels(scheduler.alphas_cumprod), output="x0")


def _ddpm(levels: list[tuple[float, float]]) -> Solver:
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    scheduler = DDPMScheduler(**_vp_settings(levels), clip_sample=False)
    scheduler.set_timesteps(len(levels))
    levels = _vp_levels(scheduler.alphas_cumprod)
    return Solver(scheduler, levels, output="x0", stochastic=True)


def _dpm(levels: list[tuple[float, float]], *, noisy: bool = False) -> Solver:
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    kind = "sde-dpmsolver++" if noisy else "dpmsolver++"
    scheduler = DPMSolverMultistepScheduler(**_vp_settings(levels), algorithm_type=kind)
    scheduler.set_timesteps(len(levels))
    return Solver(scheduler, _edm_levels(scheduler.sigmas), output="x0", stochastic=noisy)


def _unipc(levels: list[tuple[float, float]]) -> Solver:
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

    scheduler = UniPCMultistepScheduler(**_vp_settings(levels))
    scheduler.set_timesteps(len(levels))
    return Solver(scheduler, _edm_levels(scheduler.sigmas), output="x0")


def _edm_levels(sigmas: Tensor) -> list[tuple[float, float]]:
    """Variance-preserving levels from sigma / alpha, without the last entry, which is 0."""
    ratio = sigmas[:-1].double()
    alpha = torch.rsqrt(1 + ratio.square())
    return list(zip(alpha.tolist(), (ratio * alpha).tolist(), strict=True))


def _flow_sigmas(levels: list[tuple[float, float]]) -> list[float]:
    """Noise share on the straight line at equal signal-to-noise ratio."""
    return [sigma / (alpha + sigma) for alpha, sigma in levels]


def _euler(levels: list[tuple[float, float]]) -> Solver:
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
        FlowMatchEulerDiscreteScheduler,
    )

    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=_flow_sigmas(levels))
    scheduler.set_begin_index(0)
    sigmas = scheduler.sigmas[:-1].tolist()
    return Solver(scheduler, [(1 - sigma, sigma) for sigma in sigmas], output="flow")


def _heun(levels: list[tuple[float, float]]) -> Solver:
    from diffusers.schedulers.scheduling_flow_match_heun_discrete import (
        FlowMatchHeunDiscreteScheduler,
    )

    scheduler = FlowMatchHeunDiscreteScheduler()
    scheduler.set_timesteps(len(levels))
    # This scheduler accepts no grid, so the grid is set afterwards, in the layout of
    # set_timesteps: every level except the first twice (trial, then step), and 0 once.
    grid = torch.tensor(_flow_sigmas(levels), dtype=torch.float32)
    grid = torch.cat([grid[:1], grid[1:].repeat_interleave(2)])
    scheduler.sigmas = torch.cat([grid, grid.new_zeros(1)])
    scheduler.timesteps = grid * scheduler.config["num_train_timesteps"]
    scheduler.set_begin_index(0)
    return Solver(
        scheduler,
        [(1 - sigma, sigma) for sigma in grid.tolist()],
        output="flow",
        shows=[i % 2 == 0 for i in range(len(grid))],
    )


SAMPLERS: dict[str, Sampler] = {
    "sde-dpm++": Sampler(
        "dpm++ that adds noise at each step; the default", partial(_dpm, noisy=True), True
    ),
    "dpm++": Sampler("DPM-Solver++ (2M): second order, one evaluation a step", _dpm),
    "unipc": Sampler("UniPC: predictor and corrector, one evaluation a step", _unipc),
    "ddim": Sampler("DDIM: deterministic, first order", _ddim),
    "ddpm": Sampler(
        "ancestral sampling: adds noise at each step; wants hundreds of steps", _ddpm, True
    ),
    "euler": Sampler("Euler steps along the straight flow, first order", _euler),
    "heun": Sampler(
        "Heun steps along the straight flow: second order, two evaluations a step but the last",
        _heun,
        evaluations=lambda n: 2 * n - 1,
    ),
}
