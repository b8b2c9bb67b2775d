"""Speed against quality: which sampler, how many steps, how much guidance.

A small sample is drawn under each setting, from the same noise and with the same things asked, and
scored by the kernel distance (unbiased, so that few pictures will do) and by the judge.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from latentbloom.conditions import ConditionSpec
from latentbloom.evaluate.features.extractor import Progress, in_batches
from latentbloom.evaluate.measures.classifier import mean_of_known, recalls
from latentbloom.evaluate.measures.distances import Interval, kernel_interval
from latentbloom.evaluate.reference import Reference
from latentbloom.evaluate.requests import Drawn, in_proportion, known_words
from latentbloom.files import write_atomic

FILE_NAME = "quality.json"
Quality = Literal["draft", "balanced", "best"]

GUIDANCE = (1.0, 1.375, 1.75, 2.25, 2.75, 3.5, 4.5)
FIRST = ("dpm++", 20)
"""Sampler and steps under which the guidance is chosen."""

MAP_SAMPLES = 256
STEPS = (2, 3, 4, 6, 8, 12, 20, 40)
MAPPED = ("dpm++", "unipc", "heun")
"""Samplers that are tried."""

DRAFT_EVALUATIONS = 4
NEARLY_BEST = 1.1
CONTROL_WEIGHT = 5.0
"""Ten points of lost obedience cost as much as half of the best kernel distance."""


class Setting(BaseModel):
    """How to draw a picture.

    Arguments:
        sampler: Name in `latentbloom.diffusion.SAMPLERS`.
        num_steps: Solver steps.
        guidance: 1 plain conditional, above 1 stronger.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sampler: str
    num_steps: int
    guidance: float


class Point(BaseModel):
    """What a setting gives.

    Arguments:
        setting: How pictures were drawn.
        evaluations: How often the network was asked for a picture, guidance not counted.
        pictures_per_second: Measured while drawing.
        kernel: Kernel distance to kept-aside real pictures.
        met: Share of samples as asked, mean over labels and factors; None without a judge.
        cost: What the choice goes by, 1 for the smallest distance at full obedience.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    setting: Setting
    evaluations: int
    pictures_per_second: float
    kernel: Interval
    met: float | None
    cost: float = float("nan")


class SpeedMap(BaseModel):
    """All points, and the three settings that were chosen among them.

    Arguments:
        version: Of this format.
        samples: Pictures a point.
        ceiling: What the judge reaches on real pictures; None without a judge.
        points: In the order of measurement.
        chosen: A setting each for "draft", "balanced" and "best".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    samples: int
    ceiling: float | None
    points: tuple[Point, ...]
    chosen: dict[Quality, Setting]

    def save(self, path: Path) -> None:
        """Write as JSON, beside the place first."""
        write_atomic(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> SpeedMap | None:
        """What `save` wrote; None where there is nothing that can be read."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError, UnicodeDecodeError):
            return None


class Tunable(Protocol):
    """A model whose sampling can be set."""

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
    ) -> Drawn:
        """One picture a dict of words."""
        ...


def map_speed(
    model: Tunable,
    reference: Reference,
    *,
    samplers: Mapping[str, Callable[[int], int]],
    n: int = MAP_SAMPLES,
    seed: int = 0,
    steps: Sequence[int] = STEPS,
    guidance: Sequence[float] = GUIDANCE,
    on_progress: Progress | None = None,
) -> SpeedMap:
    """Measure settings and choose three.

    The guidance comes first, under `FIRST`; then samplers and steps under the best guidance.

    Arguments:
        model: Sampled from.
        reference: The real side.
        samplers: Which to try; each says how often it asks the network in so many steps.
        n: Pictures a setting, in val's proportions.
        seed: Of the noise, the same for each setting.
        steps: Numbers of steps to try.
        guidance: Strengths to try.
        on_progress: Called after each setting.
    """
    labels = in_proportion(reference.val_labels, n, seed)
    cond = {
        name: torch.from_numpy(labels[:, column].copy())
        for column, name in enumerate(reference.spec.names)
    }
    words, _ = known_words(reference.spec.words(cond), model.spec)
    ceiling = _ceiling(reference)
    rest = [(name, k) for name in samplers for k in steps if (name, k) != FIRST]
    total = len(guidance) + len(rest)

    def measure(setting: Setting) -> Point:
        begin = time.perf_counter()
        drawn = model.sample(
            cond=words,
            n=n,
            seed=seed,
            guidance=setting.guidance,
            num_steps=setting.num_steps,
            sampler=setting.sampler,
        )
        seconds = time.perf_counter() - begin
        features = reference.extractor.extract(in_batches(drawn.pixels))
        kernel = kernel_interval(features.pooled, reference.val.pooled, repeats=50)
        met = None
        if reference.judge is not None:
            verdicts = reference.judge.judge(features)
            met = _mean_met({name: v.answer for name, v in verdicts.items()}, labels, reference)
        points.append(
            Point(
                setting=setting,
                evaluations=samplers[setting.sampler](setting.num_steps),
                pictures_per_second=n / max(seconds, 1e-9),
                kernel=kernel,
                met=met,
            )
        )
        if on_progress is not None:
            on_progress("settings of the sampler", len(points), total)
        return points[-1]

    points: list[Point] = []
    name, count = FIRST
    for strength in guidance:
        measure(Setting(sampler=name, num_steps=count, guidance=strength))
    best = min(with_costs(points, ceiling), key=lambda p: p.cost).setting.guidance
    for name, count in rest:
        measure(Setting(sampler=name, num_steps=count, guidance=best))
    costed = with_costs(points, ceiling)
    return SpeedMap(samples=n, ceiling=ceiling, points=tuple(costed), chosen=choose(costed))


def with_costs(points: Sequence[Point], ceiling: float | None) -> list[Point]:
    """Points with their costs: distance over the smallest one, plus lost obedience.

    .. math:: c = d / d_{min} + 5 max(0, ceiling - met)

    Distances below the uncertainty of the smallest one count as equal to it.

    Arguments:
        points: Measured settings.
        ceiling: What the judge reaches on real pictures.
    """
    least = min(points, key=lambda p: p.kernel.value).kernel
    grain = max((least.high - least.low) / 2, 1e-12)
    base = max(least.value, grain)
    costed = []
    for point in points:
        cost = max(point.kernel.value, base) / base
        if ceiling is not None and point.met is not None:
            cost += CONTROL_WEIGHT * max(0.0, ceiling - point.met)
        costed.append(point.model_copy(update={"cost": cost}))
    return costed


def choose(points: Sequence[Point]) -> dict[Quality, Setting]:
    """The best of all; the quickest that is nearly as good; the best of the very quick ones.

    Arguments:
        points: With costs. Where none asks the network four times or less, the quickest is the
            draft.
    """
    best = min(points, key=lambda p: p.cost)
    nearly = [p for p in points if p.cost <= NEARLY_BEST * best.cost]
    balanced = min(nearly, key=lambda p: (p.evaluations, p.cost))
    quick = [p for p in points if p.evaluations <= DRAFT_EVALUATIONS]
    draft = min(quick, key=lambda p: p.cost) if quick else min(points, key=lambda p: p.evaluations)
    return {"draft": draft.setting, "balanced": balanced.setting, "best": best.setting}


def _mean_met(
    answers: Mapping[str, np.ndarray], labels: np.ndarray, reference: Reference
) -> float | None:
    means = []
    for column, factor in enumerate(reference.spec.factors):
        asked = labels[:, column] != factor.null_index
        if asked.any() and factor.name in answers:
            truth = labels[asked, column]
            values = recalls(answers[factor.name][asked], truth, len(factor.values))
            means.append(mean_of_known(values))
    return float(np.mean(means)) if means else None


def _ceiling(reference: Reference) -> float | None:
    if reference.judge is None:
        return None
    verdicts = reference.judge.judge(reference.val)
    answers = {name: verdict.answer for name, verdict in verdicts.items()}
    return _mean_met(answers, reference.val_labels, reference)
