"""Measures which sampler, how many steps and how much guidance suit a model.

Each setting generates a small sample, for the same requests and from the same noise. It is scored
by the kernel distance (unbiased, so that few pictures are enough) and by the classifier.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch

from latentbloom.conditions import ConditionSpec
from latentbloom.evaluate.features.extractor import Features, Progress, in_batches
from latentbloom.evaluate.measures.accuracy import recalls
from latentbloom.evaluate.measures.kernels import kernel_interval
from latentbloom.evaluate.reference import Reference
from latentbloom.evaluate.speed_map import Point, Setting, SpeedMap, by_cost, choose, with_costs
from latentbloom.evaluate.workload import Samples, in_proportion, known_words

GUIDANCE = (1.0, 1.375, 1.75, 2.25, 2.75, 3.5, 4.5)
FIRST = ("sde-dpm++", 20)
"""Sampler and steps under which the guidance is chosen."""

MAP_SAMPLES = 256
STEPS = (2, 3, 4, 6, 8, 12, 20, 40)
MAPPED = ("sde-dpm++", "dpm++", "unipc", "heun")
"""Samplers that are tried."""


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
    ) -> Samples:
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
        model: The model that generates the samples.
        reference: The real side.
        samplers: Which to try; each says how many evaluations of the network so many steps take.
        n: Pictures a setting, in val's proportions of labels.
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
    ceiling = _mean_met(reference.val, reference.val_labels, reference)
    rest = [(name, k) for name in samplers for k in steps if (name, k) != FIRST]
    total = len(guidance) + len(rest)

    def measure(setting: Setting) -> Point:
        begin = time.perf_counter()
        samples = model.sample(
            cond=words,
            n=n,
            seed=seed,
            guidance=setting.guidance,
            num_steps=setting.num_steps,
            sampler=setting.sampler,
        )
        seconds = time.perf_counter() - begin
        features = reference.extractor.extract(in_batches(samples.pixels))
        points.append(
            Point(
                setting=setting,
                evaluations=samplers[setting.sampler](setting.num_steps),
                pictures_per_second=n / max(seconds, 1e-9),
                kernel=kernel_interval(features.pooled, reference.val.pooled, repeats=50),
                met=_mean_met(features, labels, reference),
            )
        )
        if on_progress is not None:
            on_progress("settings of the sampler", len(points), total)
        return points[-1]

    points: list[Point] = []
    name, count = FIRST
    for strength in guidance:
        measure(Setting(sampler=name, num_steps=count, guidance=strength))
    best = min(with_costs(points, ceiling), key=by_cost).setting.guidance
    for name, count in rest:
        measure(Setting(sampler=name, num_steps=count, guidance=best))
    costed = with_costs(points, ceiling)
    return SpeedMap(samples=n, ceiling=ceiling, points=tuple(costed), chosen=choose(costed))


def _mean_met(features: Features, labels: np.ndarray, reference: Reference) -> float | None:
    """Condition accuracy of pictures, mean over values and factors; None without a classifier.

    Arguments:
        features: Of N pictures.
        labels: int64 (N, factors): what they were to show.
        reference: Has the classifier.
    """
    if reference.classifier is None:
        return None
    predictions = reference.classifier.predict(features)
    means = []
    for column, factor in enumerate(reference.spec.factors):
        asked = labels[:, column] != factor.null_index
        if asked.any() and factor.name in predictions:
            found = predictions[factor.name].index[asked]
            means.append(np.nanmean(recalls(found, labels[asked, column], len(factor.values))))
    return float(np.mean(means)) if means else None
