"""Order of convergence: how the solvers' error falls when the step is halved."""

import itertools
import math

import pytest
import torch

from latentbloom.diffusion import make_schedule, sample_states
from latentbloom.diffusion.exact import GaussianDenoiser, gaussian_flow_map
from latentbloom.diffusion.grid import time_grid
from latentbloom.diffusion.sampling import bridge
from latentbloom.diffusion.solvers import SAMPLERS

MEAN, STD = 0.7, 0.4
X_1 = torch.tensor([[-1.5], [-0.3], [0.8], [2.0]], dtype=torch.float64)


def flow_map(schedule, x_t, t, s):
    t, s = torch.tensor([t, s], dtype=torch.float64)
    return gaussian_flow_map(schedule, x_t, t, s, mean=MEAN, std=STD)


def error_between_levels(sampler, schedule, num_steps):
    """Error at the end of a walk over levels that are even in log-SNR, from -6 to 6."""
    denoiser = GaussianDenoiser(schedule, MEAN, STD)
    sigmas = torch.sigmoid(torch.linspace(3, -3, num_steps + 1, dtype=torch.float64)).tolist()
    solver = SAMPLERS[sampler].build([(1 - sigma, sigma) for sigma in sigmas])
    x_s = X_1 * math.hypot(*solver.levels[0])
    start = bridge(schedule, *solver.levels[0])
    for i, level in enumerate(solver.levels[:-1]):
        t, scale = bridge(schedule, *level)
        x_s = solver.step(i, denoiser(x_s * scale, torch.full((4,), t).double(), {}), x_s)
    t, scale = bridge(schedule, *solver.levels[-1])
    x_start = X_1 * math.hypot(*solver.levels[0]) * start[1]
    return float((x_s * scale - flow_map(schedule, x_start, start[0], t)).abs().max())


@pytest.mark.parametrize("name", ["flow", "linear", "cosine"])
@pytest.mark.parametrize(
    ("sampler", "order"), [("ddim", 1), ("euler", 1), ("dpm++", 2), ("heun", 2), ("unipc", 3)]
)
def test_order_of_each_solver_on_each_schedule(sampler, order, name):
    """Half the step, error / 2^order. UniPC's corrector lifts its second order to the third."""
    schedule = make_schedule(name)

    coarse, fine = (error_between_levels(sampler, schedule, n) for n in (32, 64))

    assert coarse / fine == pytest.approx(2**order, rel=0.1)
    assert fine < 0.05


@pytest.mark.parametrize("name", ["flow", "cosine"])
@pytest.mark.parametrize(
    ("sampler", "low", "high"),
    [
        ("ddim", 1.9, 2.1),
        ("euler", 1.9, 2.1),
        ("dpm++", 2.7, 4.5),  # its first two steps are long in log-SNR and fade out slowly
        ("heun", 3.7, 4.3),
        ("unipc", 3.2, 4.5),  # the last step, to no noise at all, is a first-order one
    ],
)
def test_order_of_whole_runs(sampler, low, high, name):
    schedule = make_schedule(name)
    denoiser = GaussianDenoiser(schedule, MEAN, STD)
    errors = []
    for num_steps in (80, 160):
        first, *_, last = sample_states(denoiser, X_1, {}, sampler=sampler, num_steps=num_steps)
        errors.append(float((last.x_t - flow_map(schedule, first.x_t, first.t, 0.0)).abs().max()))
    assert low < errors[0] / errors[1] < high


@pytest.mark.parametrize("sampler", ["ddim", "euler", "dpm++", "heun", "unipc"])
def test_runs_on_the_linear_schedule_converge_at_first_order_at_least(sampler):
    """There sigma_t^2 ~ t at the end, and the last step, t = 1/n to 0, errs by about sigma_t^2."""
    schedule = make_schedule("linear")
    denoiser = GaussianDenoiser(schedule, MEAN, STD)
    errors = []
    for num_steps in (20, 80):
        first, *_, last = sample_states(denoiser, X_1, {}, sampler=sampler, num_steps=num_steps)
        errors.append(float((last.x_t - flow_map(schedule, first.x_t, first.t, 0.0)).abs().max()))
    assert errors[0] / errors[1] > 3.5
    assert errors[1] < 0.05


def heun_by_hand(denoiser, schedule, x, num_steps):
    """Heun's method for du/dt on the straight line, in float64, last step Euler."""
    grid = [*time_grid(schedule, num_steps).tolist(), 0.0]
    x = x * math.hypot(1 - grid[0], grid[0])

    def velocity(x, t):
        return (x - denoiser(x, torch.full((len(x),), t, dtype=x.dtype), {})) / t

    for t, s in itertools.pairwise(grid):
        slope = velocity(x, t)
        trial = x + (s - t) * slope
        if s > 0:
            trial = x + (s - t) * (slope + velocity(trial, s)) / 2
        x = trial
    return x


@pytest.mark.parametrize("num_steps", [1, 2, 7, 30])
def test_heun_against_heun_by_hand(num_steps):
    schedule = make_schedule("flow")
    denoiser = GaussianDenoiser(schedule, MEAN, STD)

    *_, last = sample_states(denoiser, X_1, {}, sampler="heun", num_steps=num_steps)

    by_hand = heun_by_hand(denoiser, schedule, X_1, num_steps)
    torch.testing.assert_close(last.x_t, by_hand, rtol=0, atol=3e-6)


def test_euler_on_the_flow_is_ddim():
    """Both follow the line through x_t and x0_hat; only float32 rounding tells them apart."""
    schedule = make_schedule("flow")
    denoiser = GaussianDenoiser(schedule, MEAN, STD)
    *_, euler = sample_states(denoiser, X_1, {}, sampler="euler", num_steps=12)
    *_, ddim = sample_states(denoiser, X_1, {}, sampler="ddim", num_steps=12)
    torch.testing.assert_close(euler.x_t, ddim.x_t, rtol=0, atol=3e-6)
