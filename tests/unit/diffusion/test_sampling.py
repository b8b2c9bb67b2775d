"""The generator of states: what it yields, whom it asks, and that pictures keep to themselves."""

import math

import pytest
import torch
from torch import nn

from latentbloom.diffusion import (
    SAMPLERS,
    Denoiser,
    describe_samplers,
    generators_for,
    make_schedule,
    noise_for,
    sample,
    sample_states,
)
from latentbloom.diffusion.exact import GaussianDenoiser, gaussian_flow_map
from latentbloom.errors import ConfigError

SHAPE = (2, 4, 4)
SCHEDULES = ["flow", "linear", "cosine"]


class Network(nn.Module):
    """A convolution with time and condition in it, weights fixed; counts its calls."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        for parameter in self.parameters():
            parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
        self.calls = 0

    def forward(self, x, t, cond):
        self.calls += 1
        push = (t + 0.5 * cond["kind"])[:, None, None, None]
        return torch.tanh(self.conv(x) + push)


class Elementwise(nn.Module):
    """A network whose rows cannot influence one another even by rounding."""

    def forward(self, x, t, cond):
        return torch.sin(x + (t + cond["kind"])[:, None, None, None])


def run(denoiser, indices, cond, sampler, num_steps=6, seed=5):
    return sample(
        denoiser,
        noise_for(seed, indices, SHAPE),
        cond,
        sampler=sampler,
        num_steps=num_steps,
        generators=generators_for(seed, indices),
    )


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("num_steps", [1, 2, 7])
def test_states_from_noise_to_picture(sampler, name, num_steps):
    denoiser = Denoiser(Network(), make_schedule(name), "v")
    x_1 = noise_for(0, range(3), SHAPE)
    cond = {"kind": torch.tensor([0, 1, 1])}

    states = list(
        sample_states(
            denoiser,
            x_1,
            cond,
            sampler=sampler,
            num_steps=num_steps,
            generators=generators_for(0, range(3)),
        )
    )

    assert [state.step for state in states] == list(range(num_steps + 1))
    assert {state.num_steps for state in states} == {num_steps}
    times = [state.t for state in states]
    assert times == sorted(times, reverse=True)
    assert times[0] == pytest.approx(denoiser.schedule.t_max, abs=1e-5)
    assert times[-1] == 0
    torch.testing.assert_close(states[0].x_t, x_1, rtol=0, atol=0.005)  # the scale at t_max
    last = states[-1]
    assert torch.equal(last.x_t, last.x0_hat)
    assert last.x_t.isfinite().all()
    torch.testing.assert_close(last.x_t, states[-2].x0_hat, rtol=0, atol=1e-5)
    for state in states[:-1]:
        t = torch.full((3,), state.t)
        torch.testing.assert_close(state.x0_hat, denoiser(state.x_t, t, cond), rtol=0, atol=1e-4)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("num_steps", [1, 5])
def test_number_of_evaluations(sampler, num_steps):
    network = Network()
    denoiser = Denoiser(network, make_schedule("flow"), "flow")
    run(denoiser, [0], {"kind": torch.tensor([0])}, sampler, num_steps)
    promised = 2 * num_steps - 1 if sampler == "heun" else num_steps
    assert network.calls == promised
    assert SAMPLERS[sampler].evaluations(num_steps) == promised


@pytest.mark.parametrize("trained_on", SCHEDULES)
@pytest.mark.parametrize("sampler", [name for name, s in SAMPLERS.items() if not s.stochastic])
def test_any_sampler_serves_any_schedule(sampler, trained_on):
    schedule = make_schedule(trained_on)
    denoiser = GaussianDenoiser(schedule, 0.7, 0.4)
    x_1 = torch.tensor([[-1.5], [0.3], [2.0]], dtype=torch.float64)
    first, *_, last = sample_states(denoiser, x_1, {}, sampler=sampler, num_steps=100)
    exact = gaussian_flow_map(
        schedule,
        first.x_t,
        torch.tensor(first.t, dtype=torch.float64),
        torch.tensor(0.0, dtype=torch.float64),
        mean=0.7,
        std=0.4,
    )
    torch.testing.assert_close(last.x_t, exact, rtol=0, atol=0.04)


@pytest.mark.parametrize("trained_on", SCHEDULES)
@pytest.mark.parametrize(("num_steps", "off"), [(20, 0.03), (100, 0.012)])
def test_dpm_that_adds_noise_samples_the_distribution_on_any_schedule(trained_on, num_steps, off):
    denoiser = GaussianDenoiser(make_schedule(trained_on), 0.7, 0.4)
    rows = range(16)
    x_1 = noise_for(0, rows, (4000,))
    generators = generators_for(0, rows)
    found = sample(
        denoiser, x_1, {}, sampler="sde-dpm++", num_steps=num_steps, generators=generators
    )
    # Finite steps leave the deviation a little too large, 5 % of it with 20 and 1 to 2 % with 100.
    assert float(found.mean()) == pytest.approx(0.7, abs=0.01)
    assert float(found.std()) == pytest.approx(0.4, abs=off)
    # What it starts from is forgotten: another path of noise is another picture.
    correlation = torch.corrcoef(torch.stack([found.flatten(), x_1.flatten()]))[0, 1]
    assert abs(float(correlation)) < 0.05


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_picture_k_is_the_same_at_any_batch_size(sampler):
    denoiser = Denoiser(Elementwise(), make_schedule("flow"), "flow")
    kinds = torch.tensor([0, 1, 0, 1, 0])
    together = run(denoiser, range(5), {"kind": kinds}, sampler)
    for batch in ([0, 1], [2, 3, 4], [4], [3, 0]):
        alone = run(denoiser, batch, {"kind": kinds[batch]}, sampler)
        assert torch.equal(alone, together[batch])
    assert (together[0] - together[2]).abs().max() > 0.1  # same condition, another picture


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_permuting_the_batch_permutes_the_pictures(sampler):
    denoiser = Denoiser(Network(), make_schedule("linear"), "eps")
    kinds = torch.tensor([0, 1, 0, 1])
    order = [2, 0, 3, 1]
    straight = run(denoiser, range(4), {"kind": kinds}, sampler)
    permuted = run(denoiser, order, {"kind": kinds[order]}, sampler)
    torch.testing.assert_close(permuted, straight[order], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_two_runs_are_equal_and_leave_the_global_generator_alone(sampler):
    denoiser = Denoiser(Network(), make_schedule("cosine"), "v")
    cond = {"kind": torch.tensor([0, 1])}
    before = torch.random.get_rng_state()
    one = run(denoiser, [0, 1], cond, sampler)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(99)
    assert torch.equal(run(denoiser, [0, 1], cond, sampler), one)


def test_only_samplers_that_add_noise_depend_on_the_generators():
    denoiser = Denoiser(Network(), make_schedule("flow"), "flow")
    x_1 = noise_for(0, [0], SHAPE)
    cond = {"kind": torch.tensor([0])}
    for name, sampler in SAMPLERS.items():
        one, two = (
            sample(
                denoiser,
                x_1,
                cond,
                sampler=name,
                num_steps=4,
                generators=generators_for(seed, [0]),
            )
            for seed in (1, 2)
        )
        assert torch.equal(one, two) != sampler.stochastic


def test_states_carry_no_gradient_and_leave_the_caller_s_mode_alone():
    denoiser = Denoiser(Network(), make_schedule("flow"), "flow")
    for state in sample_states(
        denoiser, noise_for(0, [0], SHAPE), {"kind": torch.tensor([0])}, num_steps=3
    ):
        assert torch.is_grad_enabled()
        assert not state.x0_hat.requires_grad


def test_a_run_may_be_left_early_and_runs_may_be_interleaved():
    denoiser = Denoiser(Network(), make_schedule("flow"), "flow")
    x_1, cond = noise_for(0, [0], SHAPE), {"kind": torch.tensor([1])}
    alone = [s.x_t for s in sample_states(denoiser, x_1, cond, sampler="unipc", num_steps=5)]
    one = sample_states(denoiser, x_1, cond, sampler="unipc", num_steps=5)
    two = sample_states(denoiser, x_1, cond, sampler="unipc", num_steps=5)
    for expected, a, b in zip(alone, one, two, strict=True):
        assert torch.equal(a.x_t, expected)
        assert torch.equal(b.x_t, expected)
    next(iter(sample_states(denoiser, x_1, cond, num_steps=5)))
    assert torch.equal(sample(denoiser, x_1, cond, sampler="unipc", num_steps=5), alone[-1])


def test_half_precision_noise_is_solved_in_float32():
    denoiser = Denoiser(Network(), make_schedule("flow"), "flow")
    cond = {"kind": torch.tensor([0])}
    x0 = sample(denoiser, noise_for(0, [0], SHAPE).bfloat16(), cond, num_steps=2)
    assert x0.dtype == torch.float32


def test_shift_spends_the_steps_on_high_noise():
    denoiser = Denoiser(Network(), make_schedule("flow"), "flow")
    cond = {"kind": torch.tensor([0])}
    x_1 = noise_for(0, [0], SHAPE)
    even, shifted = (
        [s.t for s in sample_states(denoiser, x_1, cond, num_steps=4, shift=shift)]
        for shift in (1.0, 3.0)
    )
    assert even == pytest.approx([0.999 * i / 4 for i in (4, 3, 2, 1, 0)], abs=1e-5)
    t = [3 * u / (1 + 2 * u) for u in (1, 0.75, 0.5, 0.25, 0)]
    assert shifted == pytest.approx([0.999 * u for u in t], abs=1e-5)


def test_flat_latents_work_too():
    denoiser = GaussianDenoiser(make_schedule("flow"), 0.0, 1.0)
    for sampler in SAMPLERS:
        x0 = sample(
            denoiser,
            noise_for(0, [0, 1], (256,)),
            {},
            sampler=sampler,
            num_steps=4,
            generators=generators_for(0, [0, 1]),
        )
        assert x0.shape == (2, 256)
        assert math.isclose(float(x0.std()), 1, abs_tol=0.6)


def test_unknown_sampler():
    with pytest.raises(ConfigError) as error:
        sample_states(
            GaussianDenoiser(make_schedule("flow"), 0.0, 1.0), torch.zeros(1, 1), {}, sampler="plms"
        )
    assert str(error.value) == (
        "'plms' is no sampler. Choose one of: sde-dpm++, dpm++, unipc, ddim, ddpm, euler, heun. "
        f"Each in a line:\n{describe_samplers()}"
    )
    for name, sampler in SAMPLERS.items():
        assert f"  {name:<9}  {sampler.description}" in describe_samplers().splitlines()


@pytest.mark.parametrize("num_steps", [0, -3])
def test_number_of_steps_must_be_positive(num_steps):
    with pytest.raises(ConfigError) as error:
        sample_states(
            GaussianDenoiser(make_schedule("flow"), 0.0, 1.0),
            torch.zeros(1, 1),
            {},
            num_steps=num_steps,
        )
    assert str(error.value) == f"num_steps is {num_steps}. It must be 1 or more."


@pytest.mark.parametrize("shift", [0.0, -1.0, math.nan])
def test_shift_must_be_positive(shift):
    with pytest.raises(ConfigError) as error:
        sample_states(
            GaussianDenoiser(make_schedule("flow"), 0.0, 1.0), torch.zeros(1, 1), {}, shift=shift
        )
    assert str(error.value) == f"shift is {shift}. It must be positive; 1 means even steps."


@pytest.mark.parametrize("sampler", [name for name, s in SAMPLERS.items() if s.stochastic])
@pytest.mark.parametrize("generators", [None, generators_for(0, [0])])
def test_a_sampler_that_adds_noise_wants_one_generator_a_row(generators, sampler):
    with pytest.raises(ValueError, match="give it one generator a row \\(2\\)"):
        sample_states(
            GaussianDenoiser(make_schedule("flow"), 0.0, 1.0),
            torch.zeros(2, 1),
            {},
            sampler=sampler,
            generators=generators,
        )
