"""What the records of a run say about its health: each sign appears, and only where it should."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from latentbloom.runs.health import signs
from latentbloom.train.ema import Average

Record = dict[str, Any]


def train(stage: str, **values: Any) -> list[Record]:
    """Twenty records; a list gives each a value of its own."""
    records = []
    for k in range(20):
        own = {name: v[k] if isinstance(v, list) else v for name, v in values.items()}
        place = {"images": 100 * k, "progress": (k + 1) / 20}
        records.append({"kind": "train", "stage": stage, **place, **own})
    return records


def val(stage: str, name: str, values: list[float]) -> list[Record]:
    count = len(values)
    return [
        {"kind": "val", "stage": stage, "images": 4000 * k, "progress": (k + 1) / count, name: v}
        for k, v in enumerate(values)
    ]


FALLING = [1.0 / (k + 1) for k in range(10)]
HEALTHY = [
    *train("vae_gan", kl=5.5, discriminator_accuracy=0.65, adversarial_ramp=1.0, average_lag=0.02),
    *val("vae_gan", "reconstruction", FALLING),
    *train("diffusion", diffusion=1.0, average_lag=0.02),
    *val("diffusion", "diffusion", FALLING),
    *val("diffusion", "uses_smiling", [0.1, 1.0, 3.0, 9.0, 12.0, 15.0]),
]
SICK: dict[str, tuple[list[Record], str]] = {
    "discriminator wins": (
        train("vae_gan", discriminator_accuracy=0.99),
        "tells real pictures from reconstructions in 99% of cases",
    ),
    "discriminator asleep": (
        train("vae_gan", discriminator_accuracy=0.5, adversarial_ramp=1.0),
        "only guesses (50% right)",
    ),
    "latents collapsed": (train("vae_gan", kl=0.004), "KL 0.004 nats"),
    "latents explode": (train("vae_gan", kl=[2.0**k for k in range(20)]), "left all bounds"),
    "average does not follow": (train("diffusion", average_lag=0.9), "90% away"),
    "diffusion no longer falls": (
        val("diffusion", "diffusion", [1.0, 0.8, 0.7, 0.69, 0.69, 0.69, 0.695, 0.69, 0.69, 0.69]),
        "has not fallen since 12,000 images (0.69)",
    ),
    "overfitting": (val("diffusion", "diffusion", [1.0, 0.5, 0.4, 0.6, 0.7]), "memorises"),
    "smiling is not learned": (
        val("diffusion", "uses_smiling", [0.1, -0.5, 1.0, 0.2, 1.9, 0.4]),
        "as well without 'smiling' as with it",
    ),
    "not finite": (
        [{"kind": "not finite", "stage": "diffusion", "phase": "denoiser", "what": "loss"}],
        "A loss of the denoiser was not finite, 1 time;",
    ),
}


def test_a_healthy_run_says_nothing() -> None:
    assert signs(HEALTHY) == []
    assert signs([]) == []


@pytest.mark.parametrize("name", SICK)
def test_each_is_named_with_what_to_try(name: str) -> None:
    records, expected = SICK[name]

    (sign,) = signs(records)

    assert sign.name == name
    assert expected in sign.text
    assert len(sign.advice) > 20


@pytest.mark.parametrize(
    "records",
    [
        train("vae_gan", discriminator_accuracy=0.5, adversarial_ramp=0.0),  # not begun
        train("vae_gan", discriminator_accuracy=[0.99] * 10 + [0.7] * 10),  # over
        train("diffusion", average_lag=[0.9] * 6 + [0.1] * 14),  # the beginning
        val("diffusion", "uses_smiling", [0.1, 0.2, 0.3, 0.1, 0.2, 5.0]),  # learned late
        val("diffusion", "diffusion", [1.0, 0.5, 0.5]),  # too early to say
        [{"kind": "train", "stage": "vae_gan", "kl": None}],
        [{"kind": "val"}, {}],
    ],
)
def test_nothing_is_said_too_early_or_too_late(records: list[Record]) -> None:
    assert signs(records) == []


def test_the_lag_of_an_average_that_stands_still() -> None:
    model = nn.Linear(3, 2)
    average = Average(model, 0.05)
    assert average.lag(model) == 0.0
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.0)
    assert average.lag(model) == pytest.approx(0.5)
    average.update_parameters(model)
    assert average.lag(model) == 0.0


def test_a_plateau_needs_a_training_and_stage_1_has_none() -> None:
    flat = [1.0, 0.8, 0.69, *[0.69] * 7]
    early = [r | {"images": r["images"] // 100} for r in val("diffusion", "diffusion", flat)]
    assert signs(early) == []
    # As on flowers: the error rises once the discriminator starts, and that is right.
    assert signs(val("vae_gan", "reconstruction", [0.16, 0.15, 0.149, *[0.155] * 7])) == []
