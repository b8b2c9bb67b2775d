"""Tables of samplers against the samplers themselves."""

from __future__ import annotations

import pytest
import torch

from latentbloom.diffusion import SAMPLERS, make_schedule, sample_states
from latentbloom.diffusion.exact import GaussianDenoiser
from latentbloom.diffusion.sampling import steady_sampler
from latentbloom.export.step_tables import step_table


@pytest.mark.parametrize("schedule", ["flow", "linear", "cosine"])
@pytest.mark.parametrize("sampler", [name for name, s in SAMPLERS.items() if not s.stochastic])
@pytest.mark.parametrize("num_steps", [1, 2, 9])
def test_a_table_gives_every_state(schedule: str, sampler: str, num_steps: int) -> None:
    """On a denoiser that is not linear, so that the rows must fit each single step."""
    found = make_schedule(schedule)
    exact = GaussianDenoiser(found, mean=0.7, std=0.4)

    class Bent:
        def __init__(self) -> None:
            self.schedule = found

        def __call__(self, x_t: torch.Tensor, t: torch.Tensor, cond: dict) -> torch.Tensor:
            return torch.tanh(exact(x_t, t, cond)) + 0.3 * torch.sin(3 * x_t)

    bent = Bent()
    noise = torch.randn(5, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    states = list(sample_states(bent, noise, {}, sampler=sampler, num_steps=num_steps))
    table = step_table(sampler, found, num_steps)
    terms, points = [noise], []
    for t, row, shown in zip(table["t"], table["rows"], table["shows"], strict=False):
        x_t = combined(row, terms)
        if shown:
            points.append(x_t)
        terms.append(bent(x_t, torch.full((5,), t), {}))
    points.append(combined(table["rows"][-1], terms))
    assert len(points) == len(states) == num_steps + 1
    for point, state in zip(points, states, strict=True):
        torch.testing.assert_close(point, state.x_t, atol=2e-5, rtol=1e-4)


def combined(row: list[float], terms: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack([f * term for f, term in zip(row, terms, strict=True)]).sum(dim=0)


def test_a_sampler_that_adds_noise_is_replaced() -> None:
    assert steady_sampler("ddpm") == "dpm++"
    assert steady_sampler("heun") == "heun"
