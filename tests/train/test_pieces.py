"""The loop's parts, each against an independent calculation."""

from __future__ import annotations

import math

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.errors import ConfigError
from latentbloom.train.budget import Budget, learning_rate_factor, ramp
from latentbloom.train.ema import Average, exponent_for
from latentbloom.train.order import Order, combination_numbers, mix, seed_step, tempered_weights
from latentbloom.train.stages.latent_diffusion import shown_combinations
from latentbloom.train.stages.reconstructions import psnr
from latentbloom.train.state import optimizer_tensors, restore_optimizer


def test_average_of_a_ramp_weighs_time_by_a_power() -> None:
    share = 0.1
    gamma = exponent_for(share)
    model = nn.Linear(1, 1, bias=False)
    average = Average(model, share)
    steps = 4000
    for step in range(1, steps + 1):
        with torch.no_grad():
            model.weight.fill_(step / steps)
        average.update_parameters(model)
    # Mean of s under the density (gamma + 1) s^gamma on [0, 1].
    expected = (gamma + 1) / (gamma + 2)
    assert float(average.module.state_dict()["weight"]) == pytest.approx(expected, abs=2e-3)


def test_average_moves_from_the_first_step() -> None:
    model = nn.Linear(1, 1)
    average = Average(model, 0.05)
    with torch.no_grad():
        model.weight.fill_(7.0)
    average.update_parameters(model)
    assert float(average.module.state_dict()["weight"]) == 7.0


def test_average_is_that_of_its_formula_bit_for_bit_wherever_it_resumes() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3))
    average = Average(model, 0.05)
    expected = [p.detach().clone() for p in model.parameters()]
    for step in range(1, 30):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn_like(p))
        model(torch.randn(4, 5))  # moves the buffers
        if step == 15:  # as after a restart
            kept = average.module.state_dict()
            average = Average(model, 0.05)
            average.restore(kept, step - 1)
        average.update_parameters(model)
        take = 1.0 - (1.0 - 1.0 / step) ** (exponent_for(0.05) + 1.0)
        expected = [
            e.lerp(p.detach(), take) for e, p in zip(expected, model.parameters(), strict=True)
        ]
        for found, one in zip(average.module.parameters(), expected, strict=True):
            assert torch.equal(found, one)
        for found, one in zip(average.module.buffers(), model.buffers(), strict=True):
            assert torch.equal(found, one)


@given(st.floats(0.01, 0.25))
def test_exponent_gives_the_width_it_was_asked_for(share: float) -> None:
    gamma = exponent_for(share)
    s = np.linspace(0, 1, 200_001)
    density = s**gamma
    density /= density.sum()
    mean = (s * density).sum()
    spread = math.sqrt(((s - mean) ** 2 * density).sum())
    assert spread == pytest.approx(share, rel=0.02)


@given(st.integers(1, 50), st.integers(0, 200), st.integers(1, 40), st.integers(0, 5))
def test_each_epoch_shows_each_picture_once(count: int, start: int, batch: int, seed: int) -> None:
    order = Order(count, seed)
    epoch = order.indices(3 * count, count)
    assert sorted(epoch) == list(range(count))
    whole = order.indices(start, 2 * batch)
    assert Order(count, seed).indices(start, batch) == whole[:batch]
    assert Order(count, seed).indices(start + batch, batch) == whole[batch:]


def test_tempering_brings_rare_labels_closer() -> None:
    labels = torch.tensor([[0]] * 900 + [[1]] * 100)
    for balance, share in ((0.0, 0.1), (0.5, 0.25), (1.0, 0.5)):
        weights = tempered_weights(labels, balance)
        # 100 n2^-b / (900 n1^-b + 100 n2^-b)
        assert float(weights[900:].sum() / weights.sum()) == pytest.approx(share)
    drawn = Order(1000, 0, tempered_weights(labels, 1.0)).indices(0, 5000)
    rare = sum(i >= 900 for i in drawn) / 5000
    assert rare == pytest.approx(0.5, abs=0.03)


def test_very_many_pictures_are_sampled_by_weight_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentbloom.train.order.MOST_CATEGORIES", 99)
    weights = torch.tensor([0.0, 1.0, 3.0, 0.0] * 25)
    found = torch.tensor(Order(100, 0, weights).indices(0, 20_000))
    counts = torch.bincount(found, minlength=100).view(25, 4).sum(dim=0) / len(found)
    assert counts.tolist() == pytest.approx([0.0, 0.25, 0.75, 0.0], abs=0.01)
    assert float(counts[0]) == float(counts[3]) == 0.0


def test_steps_draw_different_numbers_and_the_same_again() -> None:
    def draw(seed: int, images: int) -> float:
        seed_step("stage", seed, images)
        return float(torch.rand(()))

    assert draw(0, 64) == draw(0, 64)
    assert len({draw(seed, images) for seed in range(4) for images in range(0, 640, 64)}) == 40
    assert mix("a", 1) != mix("a", 2)


def test_budget_counts_images_or_seconds() -> None:
    assert Budget(images=100).progress(25, 1e9) == 0.25
    assert Budget(seconds=60.0).progress(10**9, 15.0) == 0.25
    assert Budget(images=100).seconds_left(0.25, 10.0) == pytest.approx(30.0)
    assert Budget(seconds=60.0).seconds_left(0.25, 15.0) == 45.0
    with pytest.raises(ConfigError, match="one of the two"):
        Budget()


@given(st.floats(0, 1), st.floats(0.01, 0.2), st.floats(0.3, 0.95))
def test_learning_rate_stays_in_bounds(progress: float, warmup: float, decay: float) -> None:
    assert 0.01 <= learning_rate_factor(progress, warmup, decay) <= 1.0


def test_learning_rate_has_its_corners() -> None:
    assert learning_rate_factor(0.0, 0.1, 0.5) == pytest.approx(0.05)
    assert learning_rate_factor(0.1, 0.1, 0.5) == 1.0
    assert learning_rate_factor(0.5, 0.1, 0.5) == pytest.approx(1.0)
    assert learning_rate_factor(0.75, 0.1, 0.5) == pytest.approx(0.505)
    assert learning_rate_factor(1.0, 0.1, 0.5) == pytest.approx(0.01)


def test_moments_get_the_memory_layout_of_their_weights() -> None:
    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        return model, torch.optim.AdamW(model.parameters(), 0.1, fused=True)

    def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        model(torch.linspace(-1, 1, 3 * 25).view(1, 3, 5, 5)).square().sum().backward()
        optimizer.step()

    model, optimizer = make()
    step(model, optimizer)
    saved = {name: value.clone().contiguous() for name, value in model.state_dict().items()}
    moments = {k: v.clone().contiguous() for k, v in optimizer_tensors(optimizer).items()}
    other, resumed = make()
    other.load_state_dict(saved)
    restore_optimizer(resumed, moments)
    step(model, optimizer)
    step(other, resumed)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_combinations_that_were_shown() -> None:
    spec = ConditionSpec((Factor("species", ("rose", "tulip")), Factor("colour", ("red", "blue"))))
    labels = torch.tensor([[1, 0], [0, 1], [1, 0], [0, 2], [2, 1]])  # 2 is "any"
    assert shown_combinations(labels, spec) == [[0, 1], [1, 0]]
    every = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert shown_combinations(every, spec) is None
    assert shown_combinations(labels[:, :1], ConditionSpec(spec.factors[:1])) is None


def test_ramp_has_its_corners() -> None:
    assert [ramp(p, 0.2, 0.4) for p in (0.0, 0.2, 0.3, 0.4, 1.0)] == pytest.approx(
        [0, 0, 0.5, 1, 1]
    )
    assert ramp(0.5, 0.5, 0.5) == 1.0


def test_psnr_of_a_known_error() -> None:
    x = torch.zeros(1, 1, 4, 4)
    assert float(psnr(x, x + 0.2)) == pytest.approx(20 * math.log10(2 / 0.2), abs=1e-4)
    assert float(psnr(x, x)) == 100.0  # finite: means are taken


@pytest.mark.parametrize("factors", [1, 3, 40])
def test_combinations_are_numbered_as_torch_tells_them_apart(factors: int) -> None:
    generator = torch.Generator().manual_seed(factors)
    labels = torch.randint(0, 3, (500, factors), generator=generator)
    _, inverse, counts = torch.unique(labels, dim=0, return_inverse=True, return_counts=True)

    numbers = combination_numbers(labels)

    pairs = set(zip(numbers.tolist(), inverse.tolist(), strict=True))
    assert len(pairs) == len(counts) == len(set(numbers.tolist()))
    assert max(numbers) < len(labels)
    weights = tempered_weights(labels, 0.5)
    assert torch.equal(weights, counts[inverse].double().pow(-0.5))


def test_sampling_weights_hold_no_tensor_a_picture() -> None:
    labels = torch.arange(400_000)[:, None] % 2
    before = psutil.Process().memory_info().rss

    weights = tempered_weights(labels, 0.5)

    assert psutil.Process().memory_info().rss - before < 100 * len(weights)
