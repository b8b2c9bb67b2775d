"""How many pictures to score, and what to ask a model for."""

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

CLASSIFIER_SECONDS = 0.0015
"""Seconds to train the classifier, for each training picture and factor, on one core."""


MOST_APART = 0.1
"""Difference in the share of a value, of samples and real pictures, that is not mentioned."""


class Samples(Protocol):
    """What sampling returns."""

    @property
    def settings(self) -> dict[str, float | str]:
        """How they were generated: sampler, steps, guidance."""
        ...

    @property
    def pixels(self) -> Tensor:
        """uint8 (n, C, H, W)."""
        ...


class Generator(Protocol):
    """A model that can be scored."""

    spec: ConditionSpec

    @property
    def reconstructs(self) -> bool:
        """Whether there is an autoencoder to score."""
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
    ) -> Samples:
        """One picture a dict of words; `on_progress` gets the pictures done and their total."""
        ...


@dataclass(frozen=True)
class Amounts:
    """How many pictures enter a score.

    Arguments:
        samples: Samples in val's proportions of labels.
        per_label: The least number of samples for each value of each factor.
        val: Held-out pictures.
        train: Training pictures.
    """

    samples: int
    per_label: int
    val: int
    train: int


def in_proportion(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """`n` rows in the proportions of `labels`, to within one row for each combination.

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
    """More rows, so that each value occurs `per_label` times; other factors are left open."""
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
    """What the model can be asked for, and sentences about what it cannot.

    Arguments:
        asked: A dict a picture, in the words of the pictures compared with.
        spec: The factors of the model.
    """
    known = {(factor.name, value) for factor in spec.factors for value in (*factor.values, ANY)}
    unknown = sorted({item for one in asked for item in one.items()} - known)
    notes = [
        f"The model knows no {name}={value}, which the pictures compared with have. That condition "
        "was left open in its place."
        for name, value in unknown
    ]
    return [{k: v for k, v in one.items() if (k, v) in known} for one in asked], notes


def labels_of(
    asked: Sequence[Mapping[str, str]], spec: ConditionSpec, real: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Indices of words that samples were asked for, and sentences about their proportions.

    Arguments:
        asked: A dict a sample. Factors and values that `spec` does not know count as "any".
        spec: The factors of the pictures compared with.
        real: Their labels, int64 (M, factors).

    Returns:
        int64 (N, factors), and the sentences.
    """
    labels = np.array(
        [
            [
                f.index(w) if (w := one.get(f.name, ANY)) in f.values else f.null_index
                for f in spec.factors
            ]
            for one in asked
        ],
        np.int64,
    ).reshape(len(asked), len(spec.factors))
    notes = []
    for column, factor in enumerate(spec.factors):
        values = len(factor.values) + 1
        shares = [
            np.bincount(rows[:, column], minlength=values) / len(rows) for rows in (labels, real)
        ]
        apart = int(np.abs(shares[0] - shares[1]).argmax())
        if abs(shares[0][apart] - shares[1][apart]) > MOST_APART:
            notes.append(
                f"{shares[0][apart]:.0%} of the samples were asked for {factor.name}="
                f"{factor.word(apart)}, and {shares[1][apart]:.0%} of the pictures compared with "
                "have it: distances measure that, too."
            )
    return labels, notes


def affordable(
    model: Generator,
    extractor: FeatureExtractor,
    train: ImageSet,
    val: ImageSet,
    seconds: float,
    *,
    wanted: int,
) -> Amounts:
    """How many pictures can be scored in some seconds, from a measurement of both networks.

    As many samples as held-out pictures, and twice as many training pictures. Time that is left
    goes to more training pictures, which the classifier learns from.

    Arguments:
        model: Measured on 32 samples.
        extractor: Measured on 32 pictures.
        train: Training pictures.
        val: Held-out pictures.
        seconds: The budget, measurement included.
        wanted: The most samples.
    """
    began = time.perf_counter()
    probe = val.images(range(min(32, len(val))))
    per_picture = 1.0 / extractor.pictures_per_second(probe)
    # As val has them: a combination that training never showed takes longer than an open condition.
    shown = val.cond([k * len(val) // 32 for k in range(32)])
    words, _ = known_words(val.spec.words(shown), model.spec)
    start = time.perf_counter()
    model.sample(cond=words, n=32, seed=0)
    per_sample = (time.perf_counter() - start) / 32
    left = 0.8 * seconds - (time.perf_counter() - began)
    per_learned = per_picture + CLASSIFIER_SECONDS * len(train.spec.factors)
    # Each unit is a sample, a held-out picture, its reconstruction and two training pictures.
    units = int(left / (3 * per_picture + per_sample + 2 * per_learned))
    samples = max(64, min(units, wanted))
    compared = max(64, min(units, len(val)))
    spent = samples * (per_picture + per_sample) + compared * 2 * per_picture
    learned = int(max(2 * samples, (left - spent) / per_learned))
    return Amounts(samples, 0, compared, min(learned, len(train)))
