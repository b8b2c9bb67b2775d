"""Our generator against diffusers' schedulers driven by hand, as their users drive them.

There the network predicts eps at integer steps of a 1000-step schedule, and each scheduler does
its own conversions; here it is asked at t = (step + 1) / 1000 and answers x0_hat.
"""

import pytest
import torch
from torch import nn

from latentbloom.diffusion import Denoiser, generators_for, make_schedule, noise_for, sample

INDICES = range(6)
X_1 = noise_for(11, INDICES, (2, 4, 4))


class Network(nn.Module):
    """A small fixed nonlinear network of (x, t), near enough to eps that x0_hat is of order 1."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        for parameter in self.parameters():
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)

    def forward(self, x, t, cond):
        alpha, sigma = (s[:, None, None, None] for s in make_schedule("linear")(t))
        return sigma * x + 0.5 * alpha * torch.tanh(self.conv(x) + torch.sin(3 * t[0]))


NETWORK = Network()


# One step from pure noise divides by alpha_1 = 1/157, rounding errors included.
BOUNDS = {1: 2e-4, 4: 1e-5, 10: 1e-5, 20: 1e-5, 50: 1e-5}


@torch.no_grad()
def driven_by_hand(scheduler, num_steps, generators=None):
    scheduler.set_timesteps(num_steps)
    x = X_1.clone()
    extra = {} if generators is None else {"generator": generators}
    for step in scheduler.timesteps:
        t = ((step + 1) / 1000).float().expand(len(x))
        x = scheduler.step(NETWORK(x, t, {}), step, x, **extra).prev_sample
    return x


def ours(sampler, num_steps):
    denoiser = Denoiser(NETWORK, make_schedule("linear"), "eps")
    generators = generators_for(11, INDICES)
    return sample(denoiser, X_1, {}, sampler=sampler, num_steps=num_steps, generators=generators)


def largest_error(a, b):
    assert a.isfinite().all()
    assert b.abs().max() > 0.5  # the comparison is not one of zeros
    return float((a - b).abs().max())


@pytest.mark.parametrize("num_steps", BOUNDS)
def test_ddim(num_steps):
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    native = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    error = largest_error(ours("ddim", num_steps), driven_by_hand(native, num_steps))
    assert error < BOUNDS[num_steps]


@pytest.mark.parametrize("num_steps", BOUNDS)
def test_dpm_solver_plus_plus(num_steps):
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    native = DPMSolverMultistepScheduler(timestep_spacing="trailing")
    error = largest_error(ours("dpm++", num_steps), driven_by_hand(native, num_steps))
    assert error < BOUNDS[num_steps]


@pytest.mark.parametrize("num_steps", BOUNDS)
def test_dpm_solver_plus_plus_that_adds_noise(num_steps):
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    native = DPMSolverMultistepScheduler(
        timestep_spacing="trailing", algorithm_type="sde-dpmsolver++"
    )
    by_hand = driven_by_hand(native, num_steps, generators_for(11, INDICES))
    assert largest_error(ours("sde-dpm++", num_steps), by_hand) < BOUNDS[num_steps]


@pytest.mark.parametrize("num_steps", BOUNDS)
def test_unipc(num_steps):
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

    native = UniPCMultistepScheduler(timestep_spacing="trailing")
    error = largest_error(ours("unipc", num_steps), driven_by_hand(native, num_steps))
    assert error < BOUNDS[num_steps]


def test_ddpm_with_1000_steps_is_ancestral_sampling():
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    native = DDPMScheduler(clip_sample=False)
    by_hand = driven_by_hand(native, 1000, generators_for(11, INDICES))
    assert largest_error(ours("ddpm", 1000), by_hand) < 1e-4


class Velocity(Network):
    """A network whose answer is of order 1 all the way."""

    def forward(self, x, t, cond):
        return 0.5 * x + torch.tanh(self.conv(x) + torch.sin(3 * t[0]))


@pytest.mark.parametrize("num_steps", [1, 5, 20])
def test_euler_on_a_flow_model(num_steps):
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
        FlowMatchEulerDiscreteScheduler,
    )

    schedule = make_schedule("flow")
    network = Velocity()
    denoiser = Denoiser(network, schedule, "flow")
    scheduler = FlowMatchEulerDiscreteScheduler()
    # Sigmas in equal steps from t_max, as ours; their own default wastes the last evaluation.
    scheduler.set_timesteps(sigmas=[schedule.t_max * (1 - i / num_steps) for i in range(num_steps)])
    first = float(scheduler.sigmas[0])
    x = X_1 * (first**2 + (1 - first) ** 2) ** 0.5
    for t in scheduler.timesteps.tolist():
        times = torch.full((len(x),), t / 1000)
        c_in = torch.rsqrt(times**2 + (1 - times) ** 2)[:, None, None, None]
        with torch.no_grad():
            (x,) = scheduler.step(network(c_in * x, times, {}), t, x, return_dict=False)

    x0 = sample(denoiser, X_1, {}, sampler="euler", num_steps=num_steps)
    assert largest_error(x0, x) < 2e-5


def test_linear_schedule_against_diffusers_alphas_cumprod():
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    alpha, sigma = make_schedule("linear")(t)
    expected = DDPMScheduler().alphas_cumprod.double()
    torch.testing.assert_close(alpha**2, expected, rtol=2e-5, atol=1e-7)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(t), rtol=0, atol=1e-12)
