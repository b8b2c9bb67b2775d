"""Editing on Gaussian data, where the denoiser and the paths are known in closed form."""

from __future__ import annotations

import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from latentbloom.diffusion import make_schedule
from latentbloom.diffusion.editing import (
    ContrastGuidance,
    denoise_from,
    flow_edit,
    invert,
    noised,
    slerp,
)
from latentbloom.diffusion.schedule import Schedule

MEANS = torch.tensor([-0.7, 0.4, 0.1], dtype=torch.float64)  # of two classes, and of "any"
STD = 0.6
SCHEDULES = ["flow", "cosine", "linear"]


class Gaussians:
    """E[x0 | x_t] for data N(m_c, STD^2) in every dimension."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def __call__(self, x_t: Tensor, t: Tensor, cond: dict[str, Tensor]) -> Tensor:
        alpha, sigma = (s[:, None, None, None] for s in self.schedule(t))
        m = MEANS[cond["k"]][:, None, None, None]
        gain = alpha * STD**2 / (alpha**2 * STD**2 + sigma**2)
        return m + gain * (x_t - alpha * m)


def cond(k: int, rows: int = 1) -> dict[str, Tensor]:
    return {"k": torch.full((rows,), k)}


@pytest.fixture(params=SCHEDULES)
def denoiser(request: pytest.FixtureRequest) -> Gaussians:
    return Gaussians(make_schedule(request.param))


def noise(rows: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 2, 2, 2, generator=generator, dtype=torch.float64)


def expected_shift(strength: float, w: float, guided_from: float) -> float:
    """The edit d(0) of the ODE dd/ds = (d - Delta) / s, by SciPy; linear, so no noise is left."""
    apart = float(MEANS[1] - MEANS[0])

    def slope(s: float, d: list[float]) -> list[float]:
        gain = (1 - s) * STD**2 / ((1 - s) ** 2 * STD**2 + s**2)
        moved = (1 - gain * (1 - s)) * apart
        return [(d[0] - ((w if s >= guided_from else 1.0) * moved + gain * d[0])) / s]

    ends = (strength, 1e-6)
    options = {"rtol": 1e-8, "atol": 1e-10, "max_step": 0.01}
    return float(solve_ivp(slope, ends, [0.0], **options).y[0, -1])


@pytest.mark.parametrize(
    ("strength", "w", "guided_from"),
    [(0.3, 1.0, 0.0), (0.6, 1.0, 0.0), (0.6, 2.5, 0.0), (0.95, 1.0, 0.0), (0.8, 2.5, 0.4)],
)
def test_flow_edit_follows_its_ode(
    denoiser: Gaussians, strength: float, w: float, guided_from: float
) -> None:
    z = noise(1, seed=1)[0]
    errors = []
    for num_steps in (30, 60):
        edited = flow_edit(
            denoiser,
            z,
            cond(0),
            cond(1),
            eps=noise(3),
            strength=strength,
            num_steps=num_steps,
            guidance=w,
            guided_from=guided_from,
        )
        moved = edited - z
        assert moved.std() < 1e-6  # every dimension and whatever noise: the same shift
        errors.append(abs(float(moved.mean()) - expected_shift(strength, w, guided_from)))
    assert errors[0] < 0.06
    assert errors[1] < 0.6 * errors[0]  # first order


def test_from_pure_noise_flow_edit_carries_one_class_to_the_other(denoiser: Gaussians) -> None:
    z = float(MEANS[0]) + STD * noise(1, seed=2)[0]
    edited = flow_edit(denoiser, z, cond(0), cond(1), eps=noise(2), strength=0.999, num_steps=400)
    assert (edited - z).mean() == pytest.approx(float(MEANS[1] - MEANS[0]), abs=0.01)


class Places:
    """Data of one value a class and place: that of class 1 lies higher by `BY`."""

    BY = torch.tensor([[4.0, 1.0], [0.25, 0.0]], dtype=torch.float64)
    schedule = make_schedule("flow")

    def __call__(self, x_t: Tensor, t: Tensor, cond: dict[str, Tensor]) -> Tensor:
        del t
        return cond["k"][:, None, None, None] * self.BY.expand_as(x_t)


def test_focus_keeps_the_change_where_it_is_large() -> None:
    plain, half, whole = (
        flow_edit(
            Places(),
            noise(1)[0],
            cond(0),
            cond(1),
            eps=noise(2),
            strength=0.5,
            num_steps=3,
            focus=focus,
        )
        - noise(1)[0]
        for focus in (0.0, 0.5, 1.0)
    )
    assert plain[0, 0, 0] > plain[0, 0, 1] > plain[0, 1, 0] > 0
    torch.testing.assert_close(half, plain * (Places.BY / 4).sqrt())
    torch.testing.assert_close(whole, plain * Places.BY / 4)


def test_the_same_condition_leaves_a_latent_as_it_is(denoiser: Gaussians) -> None:
    z = noise(1)[0]
    same = flow_edit(
        denoiser, z, cond(1), cond(1), eps=noise(2), strength=1.0, num_steps=4, guidance=7.0
    )
    assert torch.equal(same, z)


def test_a_factor_that_the_denoiser_ignores_changes_nothing(denoiser: Gaussians) -> None:
    """Without the shortcut: the conditions differ, and the two velocities are the same."""
    source, target = ({**cond(0), "other": torch.tensor([k])} for k in (0, 1))
    z = noise(1)[0]
    same = flow_edit(
        denoiser, z, source, target, eps=noise(2), strength=0.9, num_steps=5, guidance=3.0
    )
    assert torch.equal(same, z)


def test_inversion_is_undone_by_denoising(denoiser: Gaussians) -> None:
    z = noise(3)
    errors = []
    for tries in (1, 4):
        x_s = invert(denoiser, z, cond(0, 3), s=0.7, num_steps=20, tries=tries)
        back = denoise_from(denoiser, x_s, cond(0, 3), s=0.7, num_steps=20)
        errors.append(float((back - z).abs().max()))
    assert errors[1] < 0.005
    assert errors[1] < 0.2 * errors[0]


def test_denoising_ends_at_the_class(denoiser: Gaussians) -> None:
    """The flow map from pure noise: m + STD eps."""
    eps = noise(2)
    found = denoise_from(
        denoiser, noised(torch.zeros_like(eps), eps, 0.9999), cond(1, 2), s=0.9999, num_steps=600
    )
    torch.testing.assert_close(found, MEANS[1] + STD * eps, atol=0.02, rtol=0)


def test_contrast_guidance_moves_the_mean_along_the_difference(denoiser: Gaussians) -> None:
    """Guided by w from b to c, equal variances: the estimate of the mean m_b + w (m_c - m_b)."""
    x_t, t = noise(2), torch.full((2,), 0.6, dtype=torch.float64)
    guided = ContrastGuidance(denoiser, cond(0, 2), 1.7)(x_t, t, cond(1, 2))
    alpha, sigma = (float(s[0]) for s in denoiser.schedule(t))
    m = float(MEANS[0] + 1.7 * (MEANS[1] - MEANS[0]))
    gain = alpha * STD**2 / (alpha**2 * STD**2 + sigma**2)
    torch.testing.assert_close(guided, m + gain * (x_t - alpha * m))


def test_a_great_circle_keeps_the_norm_of_noise() -> None:
    first, second = noise(2).flatten(1)
    first, second = first / first.norm(), second / second.norm()
    between = slerp(first, second, torch.linspace(0, 1, 5, dtype=torch.float64))
    torch.testing.assert_close(between.norm(dim=1), torch.ones(5, dtype=torch.float64))
