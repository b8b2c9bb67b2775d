"""Closed forms for Gaussian data, each held against a derivation of another kind."""

import math

import pytest
import torch
from torch import nn

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.diffusion import (
    ClassifierFreeGuidance,
    Denoiser,
    GuidanceByAnalogy,
    diffusion_loss,
    guide,
    make_schedule,
    sample,
)
from latentbloom.diffusion.exact import GaussianDenoiser, gaussian_flow_map

MEAN, STD = 0.7, 0.4
SCHEDULES = ["flow", "linear", "cosine"]
TIMES = [0.02, 0.3, 0.5, 0.81, 0.97]


def scalar(t):
    return torch.tensor(t, dtype=torch.float64)


def expectation_by_quadrature(value, x_t, alpha, sigma):
    """E[value(x0) | x_t] as a quotient of two integrals over x0."""
    x0 = torch.linspace(MEAN - 12 * STD, MEAN + 12 * STD, 4_001, dtype=torch.float64)
    log_weight = -((x0 - MEAN) ** 2) / (2 * STD**2) - (x_t[:, None] - alpha * x0) ** 2 / (
        2 * sigma**2
    )
    weight = torch.softmax(log_weight, dim=1)  # (B, grid)
    return (weight * value(x0, x_t[:, None])).sum(dim=1)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("t", TIMES)
def test_exact_denoiser_is_the_posterior_mean(name, t):
    schedule = make_schedule(name)
    alpha, sigma = (float(s) for s in schedule(scalar(t)))
    x_t = torch.tensor([-1.5, 0.0, 0.6, 2.0], dtype=torch.float64)

    x0_hat = GaussianDenoiser(schedule, MEAN, STD)(x_t, scalar(t).expand(4), {})

    expected = expectation_by_quadrature(lambda x0, _: x0, x_t, alpha, sigma)
    torch.testing.assert_close(x0_hat, expected, rtol=1e-9, atol=1e-9)


class BestPrediction(nn.Module):
    """The backbone that answers E[target | x_t], found by quadrature, for Gaussian data."""

    def __init__(self, schedule, target):
        super().__init__()
        self.schedule = schedule
        self.target = target

    def forward(self, x, t, cond):
        (t,) = t.unique()
        alpha, sigma = (float(s) for s in self.schedule(t))
        x_t = x.flatten() * math.hypot(alpha, sigma)  # undo the input's scaling
        answer = expectation_by_quadrature(
            lambda x0, y: self.target(x0, (y - alpha * x0) / sigma, alpha, sigma),
            x_t,
            alpha,
            sigma,
        )
        return answer.reshape(x.shape)


TARGETS = {
    "eps": lambda x0, eps, alpha, sigma: eps,
    "x0": lambda x0, eps, alpha, sigma: x0,
    "v": lambda x0, eps, alpha, sigma: alpha * eps - sigma * x0,
    "flow": lambda x0, eps, alpha, sigma: eps - x0,
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("t", TIMES)
def test_best_network_of_each_kind_gives_the_exact_denoiser(name, kind, t):
    schedule = make_schedule(name)
    denoiser = Denoiser(BestPrediction(schedule, TARGETS[kind]), schedule, kind)
    x_t = torch.tensor([[-1.5], [0.0], [0.6], [2.0]], dtype=torch.float64)
    times = scalar(t).expand(4)

    exact = GaussianDenoiser(schedule, MEAN, STD)(x_t, times, {})

    torch.testing.assert_close(denoiser(x_t, times, {}), exact, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["flow", "cosine"])  # `linear` has kinks at its 1000 steps
def test_flow_map_solves_the_probability_flow_ode(name):
    """dx/dt = alpha' x0_hat + sigma' eps_hat along the map, by central differences."""
    schedule = make_schedule(name)
    exact = GaussianDenoiser(schedule, MEAN, STD)
    x_1 = torch.tensor([-1.2, 0.3, 1.9], dtype=torch.float64)
    h = 1e-5
    for t in (0.1, 0.4, 0.75, 0.95):
        here, before, after = (
            gaussian_flow_map(schedule, x_1, scalar(0.99), scalar(s), mean=MEAN, std=STD)
            for s in (t, t - h, t + h)
        )
        alpha, sigma = schedule(scalar(t))
        (alpha_0, sigma_0), (alpha_1, sigma_1) = schedule(scalar(t - h)), schedule(scalar(t + h))
        x0_hat = exact(here, scalar(t).expand(3), {})
        eps_hat = (here - alpha * x0_hat) / sigma
        velocity = ((alpha_1 - alpha_0) * x0_hat + (sigma_1 - sigma_0) * eps_hat) / (2 * h)
        torch.testing.assert_close((after - before) / (2 * h), velocity, rtol=1e-7, atol=1e-7)


SPEC = ConditionSpec((Factor("kind", ("rose", "tulip")),))
MEANS = torch.tensor([2.0, -1.0, 0.25], dtype=torch.float64)  # rose, tulip, any


@pytest.mark.parametrize("w", [0.0, 0.5, 1.0, 1.75, 4.0])
@pytest.mark.parametrize("t", TIMES)
def test_guidance_of_two_gaussians_is_a_gaussian_with_moved_mean(w, t):
    schedule = make_schedule("flow")
    guided = guide(GaussianDenoiser(schedule, MEANS, STD, factor="kind"), SPEC, w)
    x_t = torch.linspace(-2, 2, 6, dtype=torch.float64).reshape(3, 2)
    cond = {"kind": torch.tensor([0, 1, 0])}

    x0_hat = guided(x_t, scalar(t).expand(3), cond)

    for row, kind in enumerate([0, 1, 0]):
        moved = float(MEANS[2] + w * (MEANS[kind] - MEANS[2]))
        expected = GaussianDenoiser(schedule, moved, STD)(x_t[row : row + 1], scalar(t)[None], {})
        torch.testing.assert_close(x0_hat[row : row + 1], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("w", [0.0, 1.0, 3.0])
def test_guided_sampling_ends_in_the_moved_gaussian(w):
    schedule = make_schedule("cosine")
    guided = guide(GaussianDenoiser(schedule, MEANS, STD, factor="kind"), SPEC, w)
    x_1 = torch.tensor([[-1.0], [0.0], [1.0]])
    cond = {"kind": torch.tensor([1, 1, 1])}

    x0 = sample(guided, x_1, cond, sampler="heun", num_steps=100)

    # The start holds a trace of signal that pure noise lacks; it costs up to 2e-3 of the mean.
    expected = MEANS[2] + w * (MEANS[1] - MEANS[2]) + STD * x_1.double()
    torch.testing.assert_close(x0.double(), expected, rtol=0, atol=0.01)


@pytest.mark.parametrize("t", TIMES)
def test_guidance_moves_the_mean_between_two_times_alone(t):
    schedule = make_schedule("flow")
    exact = GaussianDenoiser(schedule, MEANS, STD, factor="kind")
    guided = guide(exact, SPEC, 4.0, interval=(0.3, 0.81))
    x_t = torch.linspace(-2, 2, 6, dtype=torch.float64).reshape(3, 2)
    cond = {"kind": torch.tensor([0, 1, 0])}

    x0_hat = guided(x_t, scalar(t).expand(3), cond)

    w = 4.0 if 0.3 <= t <= 0.81 else 1.0
    moved = (MEANS[2] + w * (MEANS[cond["kind"]] - MEANS[2]))[:, None]
    expected = GaussianDenoiser(schedule, moved, STD)(x_t, scalar(t).expand(3), {})
    torch.testing.assert_close(x0_hat, expected, rtol=1e-12, atol=1e-12)
    if w == 1:  # plain conditional, to the bit
        assert torch.equal(x0_hat, exact(x_t, scalar(t).expand(3), cond))


TWO = ConditionSpec((Factor("kind", ("rose", "tulip")), Factor("colour", ("red", "blue"))))
PARTS = {
    "kind": torch.tensor([2.0, -1.0, 0.25], dtype=torch.float64),
    "colour": torch.tensor([0.5, -3.0, 1.0], dtype=torch.float64),
}


class SumOfGaussians:
    """Data whose mean is one part of the kind and one of the colour, all of equal variance."""

    def __init__(self, schedule):
        self.schedule = schedule

    def __call__(self, x_t, t, cond):
        mean = (PARTS["kind"][cond["kind"]] + PARTS["colour"][cond["colour"]])[:, None]
        return GaussianDenoiser(self.schedule, mean, STD)(x_t, t, {})


@pytest.mark.parametrize("w", [0.0, 1.0, 2.5])
def test_by_analogy_the_mean_of_an_unseen_combination_is_moved_as_if_it_were_seen(w):
    schedule = make_schedule("flow")
    free = guide(SumOfGaussians(schedule), TWO, w)
    assert isinstance(free, ClassifierFreeGuidance)
    guided = GuidanceByAnalogy(free, [(0, 0), (0, 1), (1, 1)])  # no red tulip
    x_t = torch.linspace(-2, 2, 4, dtype=torch.float64).reshape(2, 2)
    cond = {"kind": torch.tensor([1, 0]), "colour": torch.tensor([0, 0])}
    t = scalar(0.6).expand(2)

    x0_hat = guided(x_t, t, cond)

    null = float(PARTS["kind"][2] + PARTS["colour"][2])
    red_tulip = float(PARTS["kind"][1] + PARTS["colour"][0])
    moved = GaussianDenoiser(schedule, null + w * (red_tulip - null), STD)
    torch.testing.assert_close(x0_hat[:1], moved(x_t[:1], t[:1], {}), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(x0_hat, free(x_t, t, cond), rtol=1e-12, atol=1e-12)


class Constant(nn.Module):
    """A backbone that answers one number everywhere."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x, t, cond):
        return torch.full_like(x, self.value)


def test_loss_by_hand():
    """x0 = (1, 3), eps = (2, -1), t = 1/4 on the flow schedule; the network says 1/2."""
    x0 = torch.tensor([[1.0, 3.0]], dtype=torch.float64)
    eps = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    t = torch.tensor([0.25], dtype=torch.float64)
    by_hand = {
        "eps": (1.5**2 + 1.5**2) / 2,  # eps - 1/2 = 1.5, -1.5
        "x0": (0.5**2 + 2.5**2) / 2,  # x0 - 1/2 = 0.5, 2.5
        "flow": (0.5**2 + 4.5**2) / 2,  # eps - x0 - 1/2 = 0.5, -4.5
        "v": (0.75**2 + 2.0**2) / 2,  # 3/4 eps - 1/4 x0 - 1/2 = 0.75, -2.0
    }
    for kind, value in by_hand.items():
        denoiser = Denoiser(Constant(0.5), make_schedule("flow"), kind)
        loss = diffusion_loss(denoiser, x0, {}, t, eps)
        assert loss.shape == (1,)
        assert float(loss) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_min_snr_weighs_the_error_of_x0_whatever_is_predicted(kind, name):
    schedule = make_schedule(name)
    denoiser = Denoiser(Constant(0.3), schedule, kind)
    generator = torch.Generator().manual_seed(0)
    x0 = torch.randn(7, 2, 3, generator=generator, dtype=torch.float64)
    eps = torch.randn(7, 2, 3, generator=generator, dtype=torch.float64)
    t = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)

    loss = diffusion_loss(denoiser, x0, {}, t, eps, "min-snr")

    alpha, sigma = (s.reshape(7, 1, 1) for s in schedule(t))
    x0_hat = denoiser(alpha * x0 + sigma * eps, t, {})
    snr = (alpha / sigma).square().flatten()
    expected = torch.minimum(snr, torch.tensor(5.0)) * (x0_hat - x0).square().mean(dim=(1, 2))
    torch.testing.assert_close(loss, expected)
    assert (snr > 5).any()
    assert (snr < 5).any()


def test_loss_of_the_best_network_is_the_posterior_variance():
    """At the optimum of eps-prediction the mean loss is Var(eps | x_t), here known."""
    schedule = make_schedule("linear")
    denoiser = Denoiser(BestPrediction(schedule, TARGETS["eps"]), schedule, "eps")
    t = scalar(0.3).expand(16)
    alpha, sigma = (float(s) for s in schedule(scalar(0.3)))
    # Gauss-Hermite nodes in (x0, eps) make the average over both exact for quadratic losses.
    nodes = torch.tensor([-1.65068012, -0.52464762, 0.52464762, 1.65068012], dtype=torch.float64)
    weights = torch.tensor([0.08131284, 0.80491409, 0.80491409, 0.08131284], dtype=torch.float64)
    z = nodes * math.sqrt(2)
    x0 = (MEAN + STD * z).repeat_interleave(4)[:, None]
    eps = z.repeat(4)[:, None]
    weight = (weights[:, None] * weights[None]).flatten() / math.pi

    loss = (weight * diffusion_loss(denoiser, x0, {}, t, eps)).sum()

    variance = 1 / (1 + sigma**2 / (alpha * STD) ** 2)
    assert float(loss) == pytest.approx(variance, rel=1e-6)
