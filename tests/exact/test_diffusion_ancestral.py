"""Ancestral sampling, affine in (x, z) on Gaussian data: no Monte Carlo is needed."""

import math

import pytest
import torch

from latentbloom.diffusion import generators_for, make_schedule
from latentbloom.diffusion.exact import GaussianDenoiser
from latentbloom.diffusion.sampling import bridge
from latentbloom.diffusion.solvers import make_solver

MEAN, STD = 0.7, 0.4


def one_step(solver, denoiser, i, x_s, seed):
    """X after step i from x_s (float), and the number z that the step drew."""
    t, scale = bridge(denoiser.schedule, *solver.levels[i])
    x = torch.tensor([[x_s]], dtype=torch.float64)
    x0_hat = denoiser(x * scale, torch.tensor([t], dtype=torch.float64), {})
    after = solver.step(i, x0_hat, x, generators_for(seed, [0]))
    z = torch.randn((1, 1), generator=generators_for(seed, [0])[0], dtype=torch.float64)
    return float(after), float(z)


def affine_step(solver, denoiser, i):
    """(a, b, c) of x -> a x + b + c z at step i, and a check that this is all there is."""
    (y00, z0), (y10, _) = (one_step(solver, denoiser, i, x, seed=0) for x in (0.0, 1.0))
    y01, z1 = one_step(solver, denoiser, i, 0.0, seed=1)
    a, c = y10 - y00, (y01 - y00) / (z1 - z0)
    b = y00 - c * z0
    y, z = one_step(solver, denoiser, i, -1.7, seed=2)
    assert y == pytest.approx(-1.7 * a + b + c * z, abs=1e-9)
    return a, b, c


def propagated(name, num_steps):
    """Mean and standard deviation of the pictures when x_1 is standard normal."""
    schedule = make_schedule(name)
    denoiser = GaussianDenoiser(schedule, MEAN, STD)
    solver = make_solver("ddpm", schedule, num_steps)
    mean, variance = 0.0, math.hypot(*solver.levels[0]) ** 2
    for i in range(num_steps):
        a, b, c = affine_step(solver, denoiser, i)
        mean, variance = a * mean + b, a**2 * variance + c**2
    return mean, math.sqrt(variance)


@pytest.mark.parametrize("name", ["flow", "linear", "cosine"])
def test_pictures_have_the_data_s_mean_and_spread(name):
    errors = []
    for num_steps in (40, 160):
        mean, std = propagated(name, num_steps)
        assert mean == pytest.approx(MEAN, abs=0.005)
        errors.append(abs(std - STD))
    # The step's variance leaves out what x0_hat does not know, a first-order error.
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.35)
    assert errors[1] < 0.025


@pytest.mark.parametrize("name", ["flow", "linear", "cosine"])
def test_each_step_draws_from_the_posterior_given_x0(name):
    """Bayes' rule on x_s: prior from x0, likelihood of x_t; precisions add."""
    schedule = make_schedule(name)
    solver = make_solver("ddpm", schedule, 10)
    x_t, x0_hat = 0.9, -0.35
    for i in range(9):
        (alpha_t, sigma_t), (alpha_s, sigma_s) = solver.levels[i], solver.levels[i + 1]
        r = alpha_t / alpha_s  # x_t = r x_s + noise of this variance
        noise = sigma_t**2 - r**2 * sigma_s**2
        precision = 1 / sigma_s**2 + r**2 / noise
        mean = (alpha_s * x0_hat / sigma_s**2 + r * x_t / noise) / precision

        answers = []
        for seed in (0, 1):
            z = torch.randn(
                (1, 1), generator=generators_for(seed, [0])[0], dtype=torch.float64
            ).item()
            x = solver.step(
                i,
                torch.tensor([[x0_hat]], dtype=torch.float64),
                torch.tensor([[x_t]], dtype=torch.float64),
                generators_for(seed, [0]),
            )
            answers.append((x.item(), z))
        (y0, z0), (y1, z1) = answers
        c = (y1 - y0) / (z1 - z0)
        assert c == pytest.approx(1 / math.sqrt(precision), rel=1e-4)
        assert y0 - c * z0 == pytest.approx(mean, abs=1e-5)


def test_last_step_returns_x0_hat():
    solver = make_solver("ddpm", make_schedule("linear"), 5)
    x0_hat = torch.tensor([[0.25, -1.0]])
    x0 = solver.step(4, x0_hat, torch.tensor([[3.0, 2.0]]), generators_for(0, [0]))
    torch.testing.assert_close(x0, x0_hat, rtol=0, atol=1e-6)
