"""Times, weights and hidden conditions."""

import math

import pytest
import torch
from torch import nn

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.diffusion import (
    Denoiser,
    diffusion_loss,
    drop_conditions,
    make_schedule,
    sample_times,
)
from latentbloom.diffusion.objective import loss_weight
from latentbloom.errors import ConfigError

U = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000  # every quantile once


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.3))

    def forward(self, x, t, cond):
        return self.weight * x * (1 + t.reshape(-1, *[1] * (x.ndim - 1)))


def batch(n=6):
    generator = torch.Generator().manual_seed(3)
    x0, eps = torch.randn(2, n, 4, 3, 3, generator=generator)
    return x0, torch.linspace(0.05, 0.95, n), eps


@pytest.mark.parametrize("weighting", ["uniform", "min-snr"])
@pytest.mark.parametrize("kind", ["eps", "v", "x0", "flow"])
def test_loss_is_one_number_a_picture_and_permutes_with_the_batch(kind, weighting):
    x0, t, eps = batch()
    denoiser = Denoiser(Scale(), make_schedule("flow"), kind)
    loss = diffusion_loss(denoiser, x0, {}, t, eps, weighting)
    assert loss.shape == (6,)
    assert loss.dtype == torch.float32
    assert (loss > 0).all()

    order = torch.tensor([4, 0, 5, 2, 1, 3])
    permuted = diffusion_loss(denoiser, x0[order], {}, t[order], eps[order], weighting)
    torch.testing.assert_close(permuted, loss[order])


def test_loss_draws_nothing_and_has_a_gradient():
    x0, t, eps = batch()
    backbone = Scale()
    denoiser = Denoiser(backbone, make_schedule("flow"), "flow")
    before = torch.random.get_rng_state()
    loss = diffusion_loss(denoiser, x0, {}, t, eps)
    assert torch.equal(torch.random.get_rng_state(), before)

    (gradient,) = torch.autograd.grad(loss.mean(), [backbone.weight])

    h = 1e-2
    values = []
    for w in (0.3 - h, 0.3 + h):
        torch.nn.init.constant_(backbone.weight, w)
        values.append(diffusion_loss(denoiser, x0, {}, t, eps).mean().item())
    assert gradient.item() == pytest.approx((values[1] - values[0]) / (2 * h), rel=1e-3)


def test_loss_in_half_precision_data_is_computed_in_float32():
    x0, t, eps = batch()
    denoiser = Denoiser(Scale(), make_schedule("flow"), "flow")
    loss = diffusion_loss(denoiser, x0.bfloat16(), {}, t, eps.bfloat16())
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, diffusion_loss(denoiser, x0, {}, t, eps), rtol=0.02, atol=0)


def test_times_outside_the_schedule_count_as_its_ends():
    x0, _, eps = batch(2)
    denoiser = Denoiser(Scale(), make_schedule("flow"), "eps")
    ends = diffusion_loss(denoiser, x0, {}, torch.tensor([0.0, 1.0]), eps, "min-snr")
    inside = diffusion_loss(denoiser, x0, {}, torch.tensor([0.001, 0.999]), eps, "min-snr")
    assert ends.isfinite().all()
    torch.testing.assert_close(ends, inside)


def test_min_snr_weights_by_hand():
    """SNR 4 at alpha = 2 sigma, SNR 9 at alpha = 3 sigma, gamma 5."""
    alpha = torch.tensor([2 / 5**0.5, 3 / 10**0.5])
    sigma = torch.tensor([1 / 5**0.5, 1 / 10**0.5])
    for kind, by_hand in {"x0": (4, 5), "eps": (1, 5 / 9), "v": (4 / 5, 5 / 10)}.items():
        weight = loss_weight("min-snr", kind, alpha, sigma)
        assert weight.tolist() == pytest.approx(by_hand)
    third = torch.tensor([2 / 3]), torch.tensor([1 / 3])  # flow schedule, t = 1/3, SNR 4
    assert loss_weight("min-snr", "flow", *third).tolist() == pytest.approx([4 / 9])
    assert loss_weight("uniform", "flow", alpha, sigma).tolist() == [1, 1]


def test_uniform_times_are_the_numbers_themselves():
    assert torch.equal(sample_times("uniform", U), U)


def test_ddpm_s_steps_are_1000_times_each_as_likely():
    t = sample_times("steps", U)
    torch.testing.assert_close(t, torch.arange(1, 1001, dtype=torch.float64) / 1000)
    ends = sample_times("steps", torch.tensor([0.0, 0.99999997]))
    assert ends.tolist() == pytest.approx([1e-3, 1.0])


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (-0.6, 0.8)])
def test_logit_normal_times_have_that_logit(mean, std):
    t = sample_times("logit-normal", U, mean=mean, std=std)
    normal = torch.distributions.Normal(U.new_tensor(mean), U.new_tensor(std))
    torch.testing.assert_close(normal.cdf(torch.logit(t)), U, rtol=0, atol=1e-9)


def test_logit_normal_times_are_finite_at_the_ends_of_u():
    for dtype in (torch.float32, torch.float64):
        t = sample_times("logit-normal", torch.tensor([0.0, 0.5, 1.0], dtype=dtype))
        assert t.dtype == dtype
        assert ((t > 0) & (t < 1)).all()
        assert float(t[1]) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["uniform", "logit-normal"])
def test_stratified_times_put_one_in_each_interval(kind):
    u = torch.rand(64, generator=torch.Generator().manual_seed(0))
    t = sample_times(kind, u, stratified=True)
    edges = sample_times(kind, torch.arange(65) / 64)
    assert ((t >= edges[:-1]) & (t <= edges[1:])).all()
    assert abs(float(t.mean()) - 0.5) < 1 / 64


SPEC = ConditionSpec((Factor("species", ("rose", "tulip")), Factor("colour", ("red", "blue"))))
COND = {"species": torch.tensor([0, 1, 0, 1]), "colour": torch.tensor([1, 1, 0, 0])}


def test_dropping_conditions_by_hand():
    """Rows: keep all, lose all, lose the species, lose the colour."""
    u = torch.tensor([[0.9, 0.9, 0.9], [0.05, 0.9, 0.9], [0.9, 0.1, 0.9], [0.9, 0.9, 0.1]])
    dropped = drop_conditions(SPEC, COND, u, drop_all=0.1, drop_each=0.2)
    assert SPEC.words(dropped) == [
        {"species": "rose", "colour": "blue"},
        {"species": "any", "colour": "any"},
        {"species": "any", "colour": "red"},
        {"species": "tulip", "colour": "any"},
    ]
    assert COND["species"].tolist() == [0, 1, 0, 1]  # the original is as it was


def test_a_single_factor_is_lost_with_drop_all_alone():
    spec = ConditionSpec((Factor("smiling", ("no", "yes")),))
    u = torch.rand(20_000, 2, generator=torch.Generator().manual_seed(0))
    cond = {"smiling": torch.ones(20_000, dtype=torch.long)}
    dropped = drop_conditions(spec, cond, u, drop_all=0.1, drop_each=0.5)["smiling"]
    assert float((dropped == 2).float().mean()) == pytest.approx(0.1, abs=0.01)


def test_shares_of_dropped_conditions():
    u = torch.rand(40_000, 3, generator=torch.Generator().manual_seed(0))
    cond = {name: torch.zeros(40_000, dtype=torch.long) for name in SPEC.names}
    dropped = drop_conditions(SPEC, cond, u, drop_all=0.1, drop_each=0.2)
    lost = torch.stack([dropped[name] == 2 for name in SPEC.names])
    assert float(lost.all(0).float().mean()) == pytest.approx(0.1 + 0.9 * 0.04, abs=0.01)
    assert float(lost[0].float().mean()) == pytest.approx(0.1 + 0.9 * 0.2, abs=0.01)
    nothing = drop_conditions(SPEC, cond, u, drop_all=0.0)
    assert all(torch.equal(nothing[name], cond[name]) for name in SPEC.names)


def test_unknown_weighting_and_times():
    x0, t, eps = batch()
    denoiser = Denoiser(Scale(), make_schedule("flow"), "flow")
    with pytest.raises(ConfigError) as error:
        diffusion_loss(denoiser, x0, {}, t, eps, "snr")
    assert str(error.value) == "'snr' is no weighting. Choose one of: uniform, min-snr."
    with pytest.raises(ConfigError) as error:
        sample_times("cosine", U)
    assert str(error.value) == (
        "'cosine' is no way to choose times. Choose one of: uniform, logit-normal, steps."
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda u: sample_times("logit-normal", u, std=0.0), "std is 0.0. It must be positive."),
        (
            lambda u: sample_times("logit-normal", u, std=math.nan),
            "std is nan. It must be positive.",
        ),
        (
            lambda u: sample_times("logit-normal", u, mean=math.nan),
            "mean is nan. It must be a number",
        ),
        (
            lambda u: loss_weight("min-snr", "eps", u, u, gamma=-1.0),
            "gamma is -1.0. It must be pos",
        ),
        (
            lambda u: drop_conditions(SPEC, {}, u, drop_all=1.5),
            "drop_all is 1.5. It must be between 0",
        ),
        (
            lambda u: drop_conditions(SPEC, {}, u, drop_all=0.1, drop_each=math.nan),
            "drop_each is nan",
        ),
    ],
)
def test_numbers_that_make_no_sense_are_refused(call, message):
    with pytest.raises(ConfigError) as error:
        call(torch.full((4,), 0.5))
    assert message in str(error.value)
