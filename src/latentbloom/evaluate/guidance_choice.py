"""How much guidance a model wants, by training pictures alone: held-out ones are for scores.

Too little, and samples are not what was asked for; too much, and they are all alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from latentbloom.evaluate.features.extractor import FeatureExtractor, Features
from latentbloom.evaluate.features.stored import real_features
from latentbloom.evaluate.features.together import features_together, sample_together
from latentbloom.evaluate.measures.classifier import (
    ConditionClassifier,
    train_classifier,
    unlearnable,
)
from latentbloom.evaluate.measures.guidance_merit import Tried
from latentbloom.evaluate.measures.kernels import biased_kernel_distance, kernel_witness
from latentbloom.evaluate.measures.neighbours import Manifolds
from latentbloom.evaluate.workload import in_proportion
from latentbloom.sharing import ALONE, Group
from latentbloom.storage.files import cache_folder

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet
    from latentbloom.model.generator import Model

STRENGTHS = (1.0, 1.2, 1.4, 2.0, 2.8)
"""Tried from the weakest; the same for every model, whatever it uses so far.

None is stronger: after a short training the kernel distance, recall and control still gain there,
while precision and the Fréchet distance lose.
"""
COARSE = (1.0, 1.4, 2.0, 2.8)  # where there is time for the fewest samples only

# A strength, all from the same noise, so that differences are clearer than values.
FEWEST_SAMPLES = 160
MOST_SAMPLES = 640
LOOKED_AT = 3000  # training pictures
TRAINING_SHARE = 0.75  # of them for the classifier; the others show how often it is right
FEWEST = 256  # training pictures below which nothing is chosen


def choose_guidance(
    model: Model,
    train: ImageSet,
    *,
    seconds: float = float("inf"),
    extractor: FeatureExtractor | None = None,
    cache: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
    group: Group = ALONE,
) -> dict[float, Tried]:
    """Try one strength after the other, from the weakest, until the next one is worse.

    Once samples show what was asked for as often as real pictures do, for sure, no stronger one is
    tried. `COARSE` strengths are, where time allows the fewest samples only.

    Arguments:
        model: Sampled from, with its own sampler and steps.
        train: Training pictures.
        seconds: No strength is begun that would not be done by then.
        extractor: The network that looks; made when left out.
        cache: Folder of stored features; default the user's.
        clock: Seconds, increasing.
        group: Processes that share sampling and features; all call this, and find the same.

    Returns:
        What each strength that was tried gave; empty with too few pictures or seconds.
    """
    if len(train) < FEWEST or not model.spec.factors:
        return {}
    began = clock()
    extractor = extractor or FeatureExtractor()
    looked = extractor.pictures_per_second(train.images(range(32)))
    for _ in range(2):  # the first time takes twice as long
        start = clock()
        model.sample([{}] * 32, n=32, seed=0)
    a_sample = ((clock() - start) / 32 + 1 / looked) / group.count
    # Three strengths at least, and as many training pictures as there is time for.
    spare = seconds - (clock() - began) - 3.5 * FEWEST_SAMPLES * a_sample
    affordable = spare * looked * group.count
    enough = affordable >= FEWEST_SAMPLES
    limit = group.same(int(min(LOOKED_AT, 0.5 * affordable + FEWEST_SAMPLES)) if enough else 0)
    if not limit:
        return {}
    real, rows = real_features(
        train, extractor, limit=limit, cache=cache or cache_folder(), group=group
    )
    yardstick = Yardstick(train, real, train.labels[rows])
    count, strengths = FEWEST_SAMPLES, STRENGTHS
    if seconds < float("inf"):  # without minutes, the same number on every machine
        affordable = (seconds - (clock() - began)) / ((len(STRENGTHS) + 1) * a_sample)
        count = group.same(int(max(count, min(affordable, len(real) / 4, MOST_SAMPLES))))
        strengths = STRENGTHS if group.same(affordable >= FEWEST_SAMPLES) else COARSE
    asked = yardstick.ask_for(count)
    words = train.spec.words(
        {n: torch.from_numpy(asked[:, k].copy()) for k, n in enumerate(train.spec.names)}
    )
    found: dict[float, Tried] = {}
    for strength in strengths:
        if group.same(len(found) > 1 and seconds - (clock() - began) < count * a_sample):
            break
        samples = sample_together(model, words, group, seed=0, guidance=strength)
        tried = yardstick.measure(features_together(extractor, samples.pixels, group))
        found[strength] = tried = group.same(tried)
        if tried.suffices or tried.falls_short_of(max(found.values(), key=lambda one: one.merit)):
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
        self.real = real
        self.labels = labels
        taught = int(TRAINING_SHARE * len(real))
        self.classifier: ConditionClassifier | None = None
        self.real_control, self.real_error = 1.0, 0.0
        if len(unlearnable(labels[:taught], self.spec)) < len(self.spec.factors):
            self.classifier = train_classifier(real[:taught], labels[:taught], self.spec)
            met = self._met(real[taught:], labels[taught:])
            self.real_control = float(met.mean())
            self.real_error = float(met.std(ddof=1)) / len(met) ** 0.5

    def ask_for(self, samples: int) -> np.ndarray:
        """Labels (samples, factors) in the proportions of the pictures, which are measured next."""
        self.asked = in_proportion(self.labels, samples, 0)
        some, others = self.real.pooled[:samples], self.real.pooled[samples:]
        self.floor = biased_kernel_distance(some, others)
        return self.asked

    def measure(self, samples: Features) -> Tried:
        """Measure samples that answer what was `asked`."""
        near = Manifolds.of(samples.pooled, self.real.pooled)
        return Tried(
            distance=biased_kernel_distance(samples.pooled, self.real.pooled) / self.floor,
            witness=2.0 * kernel_witness(samples.pooled, self.real.pooled) / self.floor,
            recalled=near.in_samples,
            met=self._met(samples, self.asked),
            real_control=self.real_control,
            real_error=self.real_error,
        )

    def _met(self, features: Features, labels: np.ndarray) -> np.ndarray:
        """Which pictures show what was asked, (N,) in [0, 1], a mean over the factors."""
        if self.classifier is None:
            return np.ones(len(features))
        predictions = self.classifier.predict(features)
        columns = {name: labels[:, self.spec.names.index(name)] for name in predictions}
        return np.mean([p.index == columns[name] for name, p in predictions.items()], axis=0)
