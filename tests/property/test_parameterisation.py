"""Laws of schedules and conversions, for whatever times and numbers hypothesis thinks of."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentbloom.diffusion import SCHEDULES, make_schedule
from latentbloom.diffusion.grid import time_grid
from latentbloom.diffusion.parameterisation import (
    PREDICTIONS,
    from_x0,
    prediction_target,
    to_x0,
    x0_gain,
)
from latentbloom.diffusion.sampling import bridge

schedules = st.sampled_from(sorted(SCHEDULES)).map(make_schedule)
kinds = st.sampled_from(PREDICTIONS)
times = st.floats(0.001, 0.999)
numbers = st.floats(-10, 10).map(lambda v: torch.tensor([v], dtype=torch.float64))
fast = settings(max_examples=60, deadline=None)


def scalar(t):
    return torch.tensor(t, dtype=torch.float64)


@fast
@given(schedules, st.lists(st.floats(0, 1), min_size=2, max_size=20, unique=True))
def test_snr_falls_with_time(schedule, ts):
    t = torch.tensor(sorted(ts), dtype=torch.float64)
    alpha, sigma = schedule(t)
    ratio = torch.atan2(sigma, alpha)  # rises as the SNR falls, and is finite at both ends
    apart = torch.diff(t) > 1e-9
    assert (torch.diff(ratio)[apart] > 0).all()
    assert (torch.diff(ratio) >= 0).all()
    assert (alpha >= 0).all()
    assert (sigma >= 0).all()


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_snr_falls_on_a_fine_grid_in_either_precision(name, dtype):
    schedule = make_schedule(name)
    t = torch.linspace(schedule.t_min, schedule.t_max, 2000, dtype=dtype)
    log_snr = schedule.log_snr(t)
    assert log_snr.dtype == dtype
    assert (torch.diff(log_snr) < 0).all()
    for scale in schedule(t):
        assert scale.dtype == dtype
        assert scale.shape == t.shape


@fast
@given(schedules, times)
def test_log_snr_is_that_of_the_scales_and_leads_back_to_the_time(schedule, t):
    alpha, sigma = schedule(scalar(t))
    log_snr = schedule.log_snr(scalar(t))
    assert float(log_snr) == pytest.approx(2 * math.log(alpha / sigma), abs=1e-9)
    assert float(schedule.t_from_log_snr(log_snr)) == pytest.approx(t, abs=1e-10)


@pytest.mark.parametrize("name", SCHEDULES)
def test_ends_of_time(name):
    """Picture at 0, noise at 1, and whatever the SNR, a time that networks are trained at."""
    schedule = make_schedule(name)
    (alpha_0, alpha_1), (sigma_0, sigma_1) = schedule(torch.tensor([0.0, 1.0]))
    assert alpha_0 == 1
    assert sigma_0 == 0
    assert 0 <= alpha_1 < 0.01
    assert sigma_1 > 0.9999
    low, high = schedule.t_from_log_snr(torch.tensor([math.inf, -math.inf]))
    assert float(low) == pytest.approx(schedule.t_min)
    assert float(high) == pytest.approx(schedule.t_max)
    assert schedule.clamp(torch.tensor([0.0, 0.4, 1.0])).tolist() == pytest.approx(
        [schedule.t_min, 0.4, schedule.t_max]
    )


@fast
@given(schedules, kinds, times, numbers, numbers)
def test_target_leads_to_x0_and_back(schedule, kind, t, x0, eps):
    alpha, sigma = schedule(scalar(t))
    x_t = alpha * x0 + sigma * eps
    target = prediction_target(kind, x0, eps, alpha, sigma)

    torch.testing.assert_close(to_x0(kind, target, x_t, alpha, sigma), x0, rtol=0, atol=1e-9)
    torch.testing.assert_close(from_x0(kind, x0, x_t, alpha, sigma), target, rtol=0, atol=1e-9)


@fast
@given(schedules, st.permutations(PREDICTIONS), times, numbers, numbers)
def test_every_cycle_of_conversions_returns(schedule, cycle, t, x_t, prediction):
    """Through all four spaces in any order and back into the first, from any answer at all."""
    alpha, sigma = schedule(scalar(t))
    there = prediction
    for here, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
        x0_hat = to_x0(here, there, x_t, alpha, sigma)
        there = from_x0(following, x0_hat, x_t, alpha, sigma)
    torch.testing.assert_close(there, prediction, rtol=1e-7, atol=1e-7)


@fast
@given(schedules, kinds, times, numbers, numbers, numbers)
def test_gain_is_the_change_of_x0_with_the_prediction(schedule, kind, t, x_t, one, other):
    alpha, sigma = schedule(scalar(t))
    moved = to_x0(kind, one, x_t, alpha, sigma) - to_x0(kind, other, x_t, alpha, sigma)
    gain = x0_gain(kind, alpha, sigma)
    torch.testing.assert_close(moved.abs(), gain * (one - other).abs(), rtol=1e-6, atol=1e-9)


@fast
@given(schedules, schedules, times)
def test_bridge_keeps_the_snr_and_the_picture(here, there, t):
    """x0 and eps are told apart alike on both sides: x_t = scale x_s with the same x0 and eps."""
    alpha_s, sigma_s = (float(s) for s in here(scalar(t)))
    t_there, scale = bridge(there, alpha_s, sigma_s)
    alpha_t, sigma_t = (float(s) for s in there(scalar(t_there)))
    if there.t_min < t_there < there.t_max:
        assert alpha_t == pytest.approx(scale * alpha_s, rel=1e-6)
        assert sigma_t == pytest.approx(scale * sigma_s, rel=1e-6)
    assert math.hypot(alpha_t, sigma_t) == pytest.approx(scale * math.hypot(alpha_s, sigma_s))


@fast
@given(schedules, st.integers(1, 3000), st.floats(0.2, 8))
def test_time_grid_falls_from_t_max_to_t_min_or_above(schedule, num_steps, shift):
    grid = time_grid(schedule, num_steps, shift)
    assert grid.shape == (num_steps,)
    assert float(grid[0]) == pytest.approx(schedule.t_max)
    assert (torch.diff(grid) < 0).all()
    assert float(grid[-1]) >= schedule.t_min - 1e-12
