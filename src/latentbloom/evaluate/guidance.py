"""How much guidance a model wants, by training pictures alone: kept-aside ones are for scores.

Too little, and samples are not what was asked for; too much, and they are all alike. Both ends are
far from the training pictures when a sample is compared together with what was asked of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from latentbloom.cache import cache_folder
from latentbloom.evaluate.asking import in_proportion
from latentbloom.evaluate.distances import labelled_kernel_distance
from latentbloom.evaluate.features import FeatureExtractor, in_batches
from latentbloom.evaluate.real import real_features

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet
    from latentbloom.model import Model

STEPS_UP = (1.0, 1.3, 1.6, 2.0, 2.6)  # times the model's own guidance
SAMPLES = 160  # a strength, all from the same noise, so that differences are clearer than values
LOOKED_AT = 1000  # training pictures
NEARLY = 0.06  # of the least distance: by how much others may differ and count as equal
FEWEST = 256  # training pictures below which nothing is chosen


def choose_guidance(
    model: Model,
    train: ImageSet,
    *,
    seconds: float = float("inf"),
    extractor: FeatureExtractor | None = None,
    cache: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[float, float]:
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
        The distance of each strength that was tried; empty where there are too few pictures or
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

    def distance(strength: float) -> float:
        drawn = model.sample(words, n=SAMPLES, seed=0, guidance=strength)
        features = extractor.extract(in_batches(drawn.pixels))
        return labelled_kernel_distance(features.pooled, asked, real.pooled, labels)

    found: dict[float, float] = {}
    for step in STEPS_UP:
        if len(found) > 1 and seconds - (clock() - began) < a_strength:
            break
        strength = round(step * model.config.sampling.guidance, 2)
        found[strength] = distance(strength)
        if found[strength] > _nearly(found):
            break
    return found


def strongest(found: dict[float, float]) -> float:
    """The strongest guidance whose distance is nearly the least one.

    Arguments:
        found: What `choose_guidance` found, not empty.
    """
    return max(strength for strength, distance in found.items() if distance <= _nearly(found))


def _nearly(found: dict[float, float]) -> float:
    least = min(found.values())  # below 0 now and then: it is unbiased
    return least + NEARLY * abs(least)
