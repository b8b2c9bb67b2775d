"""Choice of settings: on made-up points, and on a model whose best setting is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from latentbloom.conditions import ConditionSpec
from latentbloom.data.imageset import ImageSet
from latentbloom.evaluate.measures.intervals import Interval
from latentbloom.evaluate.reference import Reference
from latentbloom.evaluate.speed_map import (
    Point,
    Setting,
    SpeedMap,
    choose,
    with_costs,
)
from latentbloom.evaluate.speed_search import map_speed


def point(kid: float, evaluations: int, *, met: float | None = 0.9, reach: float = 0.001) -> Point:
    return Point(
        setting=Setting(sampler="dpm++", num_steps=evaluations, guidance=1.5),
        evaluations=evaluations,
        pictures_per_second=100 / evaluations,
        kernel=Interval(value=kid, low=kid - reach, high=kid + reach),
        met=met,
    )


def steps_of(points: list[Point], ceiling: float | None = 0.9) -> dict[str, int]:
    chosen = choose(with_costs(points, ceiling))
    return {name: setting.num_steps for name, setting in chosen.items()}


def test_best_is_the_smallest_distance_and_balanced_the_quickest_near_it() -> None:
    points = [point(0.30, 2), point(0.16, 4), point(0.108, 8), point(0.104, 20), point(0.10, 40)]
    assert steps_of(points) == {"draft": 4, "balanced": 8, "best": 40}


def test_differences_below_the_noise_do_not_buy_more_steps() -> None:
    points = [point(0.011, 8, reach=0.02), point(0.001, 40, reach=0.02)]
    assert steps_of(points)["balanced"] == 8


@pytest.mark.parametrize("order", [(1.0, 1.5, 3.0), (3.0, 1.5, 1.0)])
def test_of_equals_the_weakest_guidance_is_chosen(order: tuple[float, ...]) -> None:
    equals = [
        point(0.1, 8).model_copy(
            update={"setting": Setting(sampler="dpm++", num_steps=8, guidance=guidance)}
        )
        for guidance in order
    ]
    chosen = choose(with_costs([point(0.2, 8), *equals], 0.9))
    assert {setting.guidance for setting in chosen.values()} == {1.0}


def test_obedience_counts_up_to_that_of_real_pictures() -> None:
    near_but_deaf, far_but_obedient = point(0.10, 8, met=0.7), point(0.15, 9, met=0.9)
    assert steps_of([near_but_deaf, far_but_obedient])["best"] == 9
    too_obedient = point(0.12, 10, met=1.0)
    assert steps_of([point(0.10, 8, met=0.9), too_obedient])["best"] == 8
    assert steps_of([near_but_deaf, far_but_obedient], ceiling=None)["best"] == 8


def test_without_a_very_quick_one_the_quickest_is_the_draft() -> None:
    assert steps_of([point(0.2, 6), point(0.1, 20)])["draft"] == 6


@dataclass(frozen=True)
class Pixels:
    pixels: torch.Tensor
    settings: dict[str, float | str] = field(default_factory=dict)


@dataclass
class Noisy:
    """Real pictures with less noise the more steps are taken, best at guidance 1.5."""

    pool: ImageSet
    spec: ConditionSpec

    def sample(
        self,
        cond: Sequence[Mapping[str, str]],
        n: int,
        seed: int,
        *,
        guidance: float,
        num_steps: int,
        sampler: str,
    ) -> Pixels:
        shape = self.pool.spec.factor("shape")
        rows = [60 * shape.index(one["shape"]) + k for k, one in enumerate(cond)]
        strength = 60.0 / num_steps + 40.0 * abs(guidance - 1.5) + (20.0 if sampler == "bad" else 0)
        noise = torch.randn((n, 3, 32, 32), generator=torch.Generator().manual_seed(seed))
        pictures = self.pool.images(rows).float() + strength * noise
        return Pixels(pictures.clamp(0, 255).byte())


def test_a_known_optimum_is_found(shapes, reference: Reference, tmp_path: Path) -> None:
    pool: ImageSet = shapes("train", (60, 60), start=7000)
    said: list[tuple[int, int]] = []
    found = map_speed(
        Noisy(pool, pool.spec),
        reference,
        samplers={"sde-dpm++": int, "bad": lambda k: 2 * k},
        n=40,
        steps=(2, 20),
        guidance=(1.0, 1.5, 3.0),
        on_progress=lambda what, done, total: said.append((done, total)),
    )
    assert found.chosen["best"] == Setting(sampler="sde-dpm++", num_steps=20, guidance=1.5)
    assert found.chosen["draft"] == Setting(sampler="sde-dpm++", num_steps=2, guidance=1.5)
    # Three strengths, then two samplers with two numbers of steps but the one that was first.
    assert said[-1] == (6, 6)
    by_setting = {p.setting: p.kernel.value for p in found.points}
    assert by_setting[Setting(sampler="bad", num_steps=2, guidance=1.5)] == max(
        value for setting, value in by_setting.items() if setting.guidance == 1.5
    )
    found.save(tmp_path / "quality.json")
    assert SpeedMap.load(tmp_path / "quality.json") == found
    assert SpeedMap.load(tmp_path / "nothing.json") is None
    assert np.isfinite([p.cost for p in found.points]).all()


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1}'])
def test_a_broken_map_is_no_map(tmp_path: Path, text: str) -> None:
    (tmp_path / "quality.json").write_text(text)
    assert SpeedMap.load(tmp_path / "quality.json") is None
