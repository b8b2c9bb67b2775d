"""How much guidance a model wants, by training pictures alone: held-out ones are for scores.

Too little, and samples are not what was asked for; too much, and they are all alike. Three
measures stand against each other, and the choice is by their product.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from latentbloom.evaluate.features.extractor import FeatureExtractor, Features, in_batches
from latentbloom.evaluate.features.stored import real_features
from latentbloom.evaluate.measures.classifier import (
    ConditionClassifier,
    train_classifier,
    unlearnable,
)
from latentbloom.evaluate.measures.kernels import biased_kernel_distance, kernel_witness
from latentbloom.evaluate.measures.neighbours import Manifolds
from latentbloom.evaluate.workload import in_proportion
from latentbloom.files import cache_folder

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet
    from latentbloom.model.generator import Model

STRENGTHS = (1.0, 1.4, 2.0, 2.8)
"""Tried from the weakest; the same for every model, whatever it uses so far.

None is stronger: after a short training the kernel distance, recall and control still gain there,
while precision and the Fréchet distance lose.
"""

SAMPLES = 160  # a strength, all from the same noise, so that differences are clearer than values
LOOKED_AT = 3000  # training pictures
TRAINING_SHARE = 0.75  # of them for the classifier; the others show how often it is right
FEWEST = 256  # training pictures below which nothing is chosen


class Tried(NamedTuple):
    """What a strength of guidance gave.

    Attributes:
        distance: Of the samples to training pictures, 1 for as many real ones.
        witness: What each sample adds to the distance, (N,), in the order of the same requests.
        recalled: Which training pictures lie among the samples, bool (M,).
        met: Which samples show what was asked for, (N,) in [0, 1], a mean over the factors, by a
            classifier trained on training pictures.
        real_control: Mean of the same for real pictures.
    """

    distance: float
    witness: np.ndarray
    recalled: np.ndarray
    met: np.ndarray
    real_control: float

    @property
    def recall(self) -> float:
        """Share of training pictures that lie among the samples."""
        return max(float(self.recalled.mean()), 1e-3)

    @property
    def control(self) -> float:
        """Share of samples that show what was asked for."""
        return max(float(self.met.mean()), 1e-3)

    @property
    def useful_control(self) -> float:
        """Control, but no more than real pictures have: more than that is no gain."""
        return min(self.control, self.real_control)

    @property
    def merit(self) -> float:
        """Recall times control over distance."""
        return self.recall * self.useful_control / self.distance

    def falls_short_of(self, other: Tried) -> bool:
        """Whether it is worse by more than the standard error of the difference.

        The differences of the three measures, each relative to the mean of the two, are added.
        """
        distance = 0.5 * (self.distance + other.distance)
        recall = 0.5 * (self.recall + other.recall)
        control = 0.5 * (self.useful_control + other.useful_control)
        gap = (
            (self.distance - other.distance) / distance
            + (other.recall - self.recall) / recall
            + (other.useful_control - self.useful_control) / control
        )
        by_sample = (self.witness - other.witness) / distance
        if min(self.control, other.control) < self.real_control:
            by_sample = by_sample + (other.met - self.met) / control
        by_real = (other.recalled.astype(float) - self.recalled) / recall
        error = sum(float(part.var(ddof=1)) / len(part) for part in (by_sample, by_real)) ** 0.5
        return gap > error


def choose_guidance(
    model: Model,
    train: ImageSet,
    *,
    seconds: float = float("inf"),
    extractor: FeatureExtractor | None = None,
    cache: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[float, Tried]:
    """Try one strength after the other, from the weakest, until the next one is worse.

    Arguments:
        model: Sampled from, with its own sampler and steps.
        train: Training pictures.
        seconds: No strength is begun that would not be done by then.
        extractor: The network that looks; made when left out.
        cache: Folder of stored features; default the user's.
        clock: Seconds, increasing.

    Returns:
        What each strength that was tried gave; empty where there are too few pictures or
        seconds to tell strengths apart.
    """
    if len(train) < FEWEST or not model.spec.factors:
        return {}
    began = clock()
    extractor = extractor or FeatureExtractor()
    looked = extractor.pictures_per_second(train.images(range(32)))
    start = clock()
    model.sample([{}] * 32, n=32, seed=0)
    a_strength = SAMPLES * ((clock() - start) / 32 + 1 / looked)
    # Three strengths at the least, and as many training pictures as there is time for.
    spare = seconds - (clock() - began) - 3.5 * a_strength
    if spare * looked < SAMPLES:
        return {}
    limit = int(min(LOOKED_AT, 0.5 * spare * looked + SAMPLES))
    real, rows = real_features(train, extractor, limit=limit, cache=cache or cache_folder())
    yardstick = Yardstick(train, real, train.labels[rows])
    words = train.spec.words(
        {n: torch.from_numpy(yardstick.asked[:, k].copy()) for k, n in enumerate(train.spec.names)}
    )
    found: dict[float, Tried] = {}
    for strength in STRENGTHS:
        if len(found) > 1 and seconds - (clock() - began) < a_strength:
            break
        drawn = model.sample(words, n=SAMPLES, seed=0, guidance=strength)
        found[strength] = yardstick.measure(extractor.extract(in_batches(drawn.pixels)))
        if found[strength].falls_short_of(max(found.values(), key=lambda one: one.merit)):
            break
    return found


class Yardstick:
    """Measures samples by training pictures.

    Arguments:
        train: The set that they are from.
        real: Features of some of its pictures, in random order.
        labels: int64 (M, factors), theirs.
    """

    def __init__(self, train: ImageSet, real: Features, labels: np.ndarray) -> None:
        self.spec = train.spec
        self.asked = in_proportion(labels, SAMPLES, 0)
        self.real = real
        count = int(TRAINING_SHARE * len(real))
        self.classifier: ConditionClassifier | None = None
        self.real_control = 1.0
        if len(unlearnable(labels[:count], self.spec)) < len(self.spec.factors):
            self.classifier = train_classifier(real[:count], labels[:count], self.spec)
            self.real_control = float(self._met(real[count:], labels[count:]).mean())
        some = real.pooled[:SAMPLES]
        self.floor = biased_kernel_distance(some, real.pooled[SAMPLES:])

    def measure(self, samples: Features) -> Tried:
        """Measure samples that answer what was `asked`."""
        near = Manifolds.of(samples.pooled, self.real.pooled)
        return Tried(
            distance=biased_kernel_distance(samples.pooled, self.real.pooled) / self.floor,
            witness=2.0 * kernel_witness(samples.pooled, self.real.pooled) / self.floor,
            recalled=near.in_samples,
            met=self._met(samples, self.asked),
            real_control=self.real_control,
        )

    def _met(self, features: Features, labels: np.ndarray) -> np.ndarray:
        """Which pictures show what was asked, (N,) in [0, 1], a mean over the factors."""
        if self.classifier is None:
            return np.ones(len(features))
        predictions = self.classifier.predict(features)
        columns = {name: labels[:, self.spec.names.index(name)] for name in predictions}
        return np.mean([p.index == columns[name] for name, p in predictions.items()], axis=0)


def best_of(found: dict[float, Tried]) -> float:
    """The weakest guidance whose merit is the greatest, within one standard error.

    If some of these show what was asked for as often as real pictures do, it is the weakest of
    them: whoever asks for a smile expects one as surely as in a labelled picture.

    Arguments:
        found: What `choose_guidance` found, not empty.

    Source: the one-standard-error rule of Breiman et al. 1984, section 3.4.3.
    """
    best = max(found.values(), key=lambda one: one.merit)
    near = {w: one for w, one in found.items() if not one.falls_short_of(best)}
    sure = [w for w, one in near.items() if one.control >= one.real_control]
    return min(sure or near)


def trade(found: dict[float, Tried]) -> list[str]:
    """Sentences: what was chosen, what every strength gave, and what was given up for it.

    Arguments:
        found: What `choose_guidance` found, not empty.
    """
    best = best_of(found)
    tried = "; ".join(
        f"{strength:g}: as asked {one.control:.0%}, recall {one.recall:.0%}, "
        f"distance {one.distance:.2f}"
        for strength, one in found.items()
    )
    real = next(iter(found.values())).real_control
    lines = [
        f"Guidance {best:g}, by distance, recall and control together ({tried}; "
        f"real pictures as asked {real:.0%}, distance 1)."
    ]
    for strength, words in ((min(found), "Against"), (max(found), "And against")):
        if strength != best:
            one, other = found[best], found[strength]
            lines.append(
                f"{words} {strength:g}: as asked {_change(other.control, one.control)}, "
                f"recall {_change(other.recall, one.recall)}, "
                f"distance {other.distance:.2f} to {one.distance:.2f}."
            )
    return lines


def _change(before: float, after: float) -> str:
    return f"{before:.0%} to {after:.0%}"
