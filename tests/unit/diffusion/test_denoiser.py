"""What the backbone is handed, and in which dtype things travel."""

import pytest
import torch
from torch import nn

from latentbloom.diffusion import Denoiser, make_schedule
from latentbloom.errors import ConfigError


class Spy(nn.Module):
    """A backbone that halves its input by a matrix product, and remembers what it was given."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[0.5]], dtype=dtype))
        self.calls = []

    def forward(self, x, t, cond):
        product = x.reshape(-1, 1) @ self.weight.to(x.dtype)
        self.calls.append((x, t, cond, product.dtype))
        return product.reshape(x.shape)


@pytest.mark.parametrize("name", ["flow", "linear", "cosine"])
def test_backbone_sees_unit_variance_and_the_time(name):
    schedule = make_schedule(name)
    spy = Spy()
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 5, 20_000, generator=generator)
    t = torch.tensor([0.1, 0.3, 0.5, 0.8, 0.95])
    alpha, sigma = (s[:, None] for s in schedule(t))
    cond = {"smiling": torch.arange(5)}

    Denoiser(spy, schedule, "flow")(alpha * x0 + sigma * eps, t, cond)

    x, seen_t, seen_cond, _ = spy.calls[0]
    torch.testing.assert_close(x.std(dim=1), torch.ones(5), rtol=0, atol=0.02)
    assert torch.equal(seen_t, t)
    assert seen_cond is cond


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_x0_hat_comes_back_in_the_dtype_of_x_t(dtype):
    spy = Spy()
    denoiser = Denoiser(spy, make_schedule("flow"), "flow")
    x_t = torch.ones(2, 3, dtype=dtype)

    assert denoiser(x_t, torch.tensor([0.2, 0.9]), {}).dtype == dtype

    x, t, _, _ = spy.calls[0]
    assert x.dtype == torch.float32
    assert t.dtype == torch.float32
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert denoiser.prediction(x_t, torch.tensor([0.2, 0.9]), {}).dtype == wide


def test_algebra_is_float32_even_for_half_precision_input():
    """At t = 0.95 with eps, x0_hat is a small difference of large numbers."""
    denoiser = Denoiser(Spy(), make_schedule("flow"), "eps")
    x_t = torch.tensor([[1.0, -0.5]])
    t = torch.tensor([0.95])
    exact = denoiser(x_t.double(), t.double(), {})
    half = denoiser(x_t.bfloat16(), t, {})
    torch.testing.assert_close(half.double(), exact, rtol=5e-3, atol=0)  # one bf16 rounding


def test_autocast_is_for_the_backbone_alone():
    spy = Spy()
    denoiser = Denoiser(spy, make_schedule("flow"), "v", autocast_dtype=torch.bfloat16)
    x0_hat = denoiser(torch.ones(2, 3), torch.tensor([0.2, 0.9]), {})
    assert spy.calls[-1][3] == torch.bfloat16
    assert x0_hat.dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")

    denoiser.autocast_dtype = None
    denoiser(torch.ones(2, 3), torch.tensor([0.2, 0.9]), {})
    assert spy.calls[-1][3] == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert denoiser(torch.ones(2, 3), torch.tensor([0.2, 0.9]), {}).dtype == torch.float32
    assert spy.calls[-1][3] == torch.bfloat16


def test_half_precision_weights_get_half_precision_pictures_but_exact_times():
    spy = Spy(dtype=torch.bfloat16)
    denoiser = Denoiser(spy, make_schedule("flow"), "flow")
    assert denoiser(torch.ones(2, 3), torch.tensor([0.2001, 0.9]), {}).dtype == torch.float32
    x, t, _, _ = spy.calls[0]
    assert x.dtype == torch.bfloat16
    assert torch.equal(t, torch.tensor([0.2001, 0.9]))


@pytest.mark.parametrize("kind", ["eps", "v", "x0", "flow"])
@pytest.mark.parametrize("name", ["flow", "linear", "cosine"])
def test_ends_of_time_are_finite(name, kind):
    denoiser = Denoiser(Spy(), make_schedule(name), kind)
    x_t = torch.tensor([[0.7, -0.2], [1.5, 0.1]])
    ends = denoiser(x_t, torch.tensor([0.0, 1.0]), {})
    inside = denoiser(x_t, torch.tensor([denoiser.schedule.t_min, denoiser.schedule.t_max]), {})
    assert ends.isfinite().all()
    assert torch.equal(ends, inside)


def test_with_backbone_keeps_everything_else():
    denoiser = Denoiser(Spy(), make_schedule("linear"), "v", autocast_dtype=torch.bfloat16)
    average = Spy()
    other = denoiser.with_backbone(average)
    assert other.backbone is average
    assert denoiser.backbone is not average
    assert other.schedule is denoiser.schedule
    assert other.kind == "v"
    assert other.autocast_dtype == torch.bfloat16


def test_state_dict_holds_the_backbone_alone():
    denoiser = Denoiser(Spy(), make_schedule("linear"), "v")
    assert list(denoiser.state_dict()) == ["backbone.weight"]


def test_unknown_prediction():
    with pytest.raises(ConfigError) as error:
        Denoiser(Spy(), make_schedule("flow"), "noise")
    assert str(error.value) == (
        "'noise' is no kind of prediction. Choose one of: eps, v, x0, flow."
    )


def test_unknown_schedule():
    with pytest.raises(ConfigError) as error:
        make_schedule("sigmoid")
    assert str(error.value) == (
        "'sigmoid' is no noise schedule. Choose one of: flow, linear, cosine."
    )
