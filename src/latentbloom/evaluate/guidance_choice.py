"""How much guidance a model wants, by training pictures alone: kept-aside ones are for scores.

Too little, and samples are not what was asked for; too much, and they are all alike. Both ends are
far from the training pictures when a sample is compared together with what was asked of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from latentbloom.evaluate.features.extractor import FeatureExtractor, in_batches
from latentbloom.evaluate.features.stored import real_features
from latentbloom.evaluate.measures.kernels import labelled_kernel_distance, labelled_kernel_witness
from latentbloom.evaluate.workload import in_proportion
from latentbloom.files import cache_folder

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet
    from latentbloom.model.generator import Model

STEPS_UP = (1.0, 1.3, 1.6, 2.0, 2.6)  # times the model's own guidance
SAMPLES = 160  # a strength, all from the same noise, so that differences are clearer than values
LOOKED_AT = 1000  # training pictures
FEWEST = 256  # training pictures below which nothing is chosen


class Tried(NamedTuple):
    """What a strength of guidance gave.

    Attributes:
        distance: To training pictures, together with the labels.
        witness: What each sample adds to it, (N,), in the order of the same requests.
    """

    distance: float
    witness: np.ndarray

    def exceeds(self, other: Tried) -> bool:
        """Whether it is farther than another one by more than the standard error of that."""
        apart = self.witness - other.witness
        error = 2.0 * float(apart.std(ddof=1)) / len(apart) ** 0.5
        return self.distance - other.distance > error


def choose_guidance(
    model: Model,
    train: ImageSet,
    *,
    seconds: float = float("inf"),
    extractor: FeatureExtractor | None = None,
    cache: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[float, Tried]:
    """Try the model's own guidance and stronger ones, until the next one is worse.

    Weaker ones are not tried: some match the training pictures better, at the price of samples
    that are not what was asked for.

    Arguments:
        model: Sampled from, with its own sampler and steps.
        train: Training pictures.
        seconds: No strength is begun that would not be done by then.
        extractor: The network that looks; made when left out.
        cache: Folder of kept features; default the user's.
        clock: Seconds, growing.

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
    # Two strengths at the least, and as many training pictures as there is time for.
    spare = seconds - (clock() - began) - 2.5 * a_strength
    if spare * looked < SAMPLES:
        return {}
    limit = int(min(LOOKED_AT, 0.5 * spare * looked + SAMPLES))
    real, rows = real_features(train, extractor, limit=limit, cache=cache or cache_folder())
    labels = train.labels[rows]
    asked = in_proportion(labels, SAMPLES, 0)
    cond = {n: torch.from_numpy(asked[:, k].copy()) for k, n in enumerate(train.spec.names)}
    words = train.spec.words(cond)

    def tried(strength: float) -> Tried:
        drawn = model.sample(words, n=SAMPLES, seed=0, guidance=strength)
        compared = extractor.extract(in_batches(drawn.pixels)).pooled, asked, real.pooled, labels
        return Tried(labelled_kernel_distance(*compared), labelled_kernel_witness(*compared))

    found: dict[float, Tried] = {}
    for step in STEPS_UP:
        if len(found) > 1 and seconds - (clock() - began) < a_strength:
            break
        strength = round(step * model.config.sampling.guidance, 2)
        found[strength] = tried(strength)
        if strongest(found) != strength:
            break
    return found


def strongest(found: dict[float, Tried]) -> float:
    """The strongest guidance that is as near as the nearest, within one standard error.

    Arguments:
        found: What `choose_guidance` found, not empty.

    Source: the one-standard-error rule of Breiman et al. 1984, section 3.4.3.
    """
    least = min(found.values(), key=lambda one: one.distance)
    return max(strength for strength, one in found.items() if not one.exceeds(least))
