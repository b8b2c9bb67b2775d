"""How many pictures to look at, and what to ask a model for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from latentbloom.conditions import ANY, ConditionSpec
from latentbloom.data.imageset import ImageSet
from latentbloom.evaluate.features.extractor import FeatureExtractor

SECONDS_A_JUDGED_PICTURE = 0.0015
"""Of teaching the judge, for each training picture and factor; one core."""


class Drawn(Protocol):
    """What sampling returns."""

    @property
    def settings(self) -> dict[str, float | str]:
        """How they were drawn, for the reader of the scores."""
        ...

    @property
    def pixels(self) -> Tensor:
        """uint8 (n, C, H, W)."""
        ...


class Generator(Protocol):
    """What can be scored."""

    spec: ConditionSpec

    @property
    def reconstructs(self) -> bool:
        """Whether there is an autoencoder to be scored."""
        ...

    def reconstruct(self, images: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [-1, 1] through the autoencoder and back."""
        ...

    def sample(
        self,
        cond: Sequence[Mapping[str, str]],
        n: int,
        seed: int,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Drawn:
        """One picture a dict of words; tells now and then how many of how many are done."""
        ...


@dataclass(frozen=True)
class Amounts:
    """How many pictures a score looks at.

    Arguments:
        samples: Drawn in val's proportions.
        per_label: Each value of each factor is asked for at least this often.
        val: Kept-aside pictures.
        train: Training pictures.
    """

    samples: int
    per_label: int
    val: int
    train: int


def in_proportion(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """`n` rows in the proportions of `labels`, which are met to within one row a combination.

    Arguments:
        labels: int64 (M, factors), M >= 1.
        n: How many rows.
        seed: Of their order.

    Returns:
        int64 (n, factors).
    """
    ordered = labels[np.lexsort(labels.T[::-1])] if labels.shape[1] else labels
    spaced = ordered[((np.arange(n) + 0.5) * len(labels) / n).astype(int)]
    return spaced[np.random.default_rng(seed).permutation(n)]


def top_up(labels: np.ndarray, spec: ConditionSpec, per_label: int) -> np.ndarray:
    """Further rows, so that each value is asked `per_label` times; other factors are left open."""
    nothing = [factor.null_index for factor in spec.factors]
    rows = []
    for column, factor in enumerate(spec.factors):
        for value in range(len(factor.values)):
            row = [*nothing[:column], value, *nothing[column + 1 :]]
            rows += [row] * max(0, per_label - int((labels[:, column] == value).sum()))
    return np.array(rows, np.int64).reshape(len(rows), len(spec.factors))


def known_words(
    asked: Sequence[Mapping[str, str]], spec: ConditionSpec
) -> tuple[list[dict[str, str]], list[str]]:
    """What a model can be asked, and sentences about what it cannot.

    Arguments:
        asked: A dict a picture, in the words of the pictures compared with.
        spec: The factors of the model.
    """
    known = {(factor.name, value) for factor in spec.factors for value in (*factor.values, ANY)}
    unknown = sorted({item for one in asked for item in one.items()} - known)
    notes = [
        f"The model knows no {name}={value}, which the pictures compared with have: where it was "
        "wanted, that was left open."
        for name, value in unknown
    ]
    return [{k: v for k, v in one.items() if (k, v) in known} for one in asked], notes


def affordable(
    model: Generator,
    extractor: FeatureExtractor,
    train: ImageSet,
    val: ImageSet,
    seconds: float,
    *,
    wanted: int,
) -> Amounts:
    """How many pictures can be looked at in some seconds, from a measurement of both networks.

    As many samples as kept-aside pictures and twice as many training pictures; what is left
    over goes to training pictures, which teach the judge.

    Arguments:
        model: Sampled from for the measurement.
        extractor: Measured, too.
        train: Training pictures.
        val: Kept-aside pictures.
        seconds: The budget, measurement included.
        wanted: The most samples.
    """
    began = time.perf_counter()
    probe = val.images(range(min(32, len(val))))
    a_look = 1.0 / extractor.pictures_per_second(probe)
    start = time.perf_counter()
    model.sample(cond=[{}] * 32, n=32, seed=0)
    a_sample = (time.perf_counter() - start) / 32
    left = 0.8 * seconds - (time.perf_counter() - began)
    a_lesson = a_look + SECONDS_A_JUDGED_PICTURE * len(train.spec.factors)
    # Each unit is a sample, a kept-aside picture, its reconstruction and two training pictures.
    units = int(left / (3 * a_look + a_sample + 2 * a_lesson))
    samples = max(64, min(units, wanted))
    looked = max(64, min(units, len(val)))
    spent = samples * (a_look + a_sample) + looked * 2 * a_look
    lessons = int(max(2 * samples, (left - spent) / a_lesson))
    return Amounts(samples, 0, looked, min(lessons, len(train)))
