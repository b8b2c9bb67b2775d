"""Scores of a whole run: reconstructions, samples, control, copying."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from latentbloom.data.conditions import ANY, ConditionSpec
from latentbloom.data.imageset import ImageSet
from latentbloom.data.pixels import to_float, to_uint8
from latentbloom.evaluate.features import BATCH, FeatureExtractor, Features, Progress
from latentbloom.evaluate.fidelity import psnr, ssim
from latentbloom.evaluate.neighbours import mean_interval
from latentbloom.evaluate.reference import MAX_TRAIN, MIN_VAL, Reference, prepare_reference
from latentbloom.evaluate.score import frechet_score, score_pictures
from latentbloom.evaluate.scores import ReconstructionScore, Scores

FEWEST = 256
MOST = 2000
PER_LABEL = 200
SHORT_BUDGET = 45.0
SECONDS_A_JUDGED_PICTURE = 0.004
"""Of teaching the judge, for each training picture and factor; two slow cores."""


class Drawn(Protocol):
    """What sampling returns."""

    @property
    def pixels(self) -> Tensor:
        """uint8 (n, C, H, W)."""
        ...


class Generator(Protocol):
    """What can be scored."""

    spec: ConditionSpec

    def reconstruct(self, images: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [-1, 1] through the autoencoder and back."""
        ...

    def sample(self, cond: Sequence[Mapping[str, str]], n: int, seed: int) -> Drawn:
        """One picture a dict of words."""
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


def evaluate_run(
    model: Generator,
    train: ImageSet,
    val: ImageSet,
    *,
    n: int | None = None,
    per_label: int = PER_LABEL,
    seed: int = 0,
    short: bool = False,
    budget_seconds: float | None = None,
    cache: Path | str | None = "user",
    on_progress: Progress | None = None,
) -> Scores:
    """Score a model.

    Arguments:
        model: Reconstructs and samples.
        train: The pictures that it was trained on.
        val: Pictures that it was not trained on.
        n: Samples drawn in val's proportions; default as many as val has, from 256 to 2,000.
        per_label: Ask for each value of each factor at least this often.
        seed: Of the samples.
        short: Save on pictures so that it takes about `budget_seconds`.
        budget_seconds: Only for short scores; default 45.
        cache: As in `prepare_reference`.
        on_progress: Called with what is being done, how much is done and how much there is.

    Raises:
        LatentbloomError: There are too few kept-aside pictures to compare with.
    """
    clock = _Clock()
    extractor = FeatureExtractor()
    wanted = n or min(max(len(val), FEWEST), MOST)
    amounts = Amounts(wanted, per_label, len(val), MAX_TRAIN)
    if short and len(val) >= MIN_VAL:
        amounts = affordable(
            model, extractor, train, val, budget_seconds or SHORT_BUDGET, wanted=wanted
        )
    reference = prepare_reference(
        train,
        val,
        max_train=amounts.train,
        max_val=amounts.val,
        extractor=extractor,
        cache=cache,
        on_progress=on_progress,
    )
    clock.lap("real pictures")
    repeats = 6 if short else 16
    reconstruction = score_reconstructions(
        model, val, reference, repeats=repeats, on_progress=on_progress
    )
    clock.lap("reconstructions")
    labels = in_proportion(reference.val_labels, amounts.samples, seed)
    labels = np.concatenate([labels, top_up(labels, reference.spec, amounts.per_label)])
    cond = {
        name: torch.from_numpy(labels[:, column].copy())
        for column, name in enumerate(reference.spec.names)
    }
    words, notes = known_words(reference.spec.words(cond), model.spec)
    pictures = model.sample(cond=words, n=len(words), seed=seed).pixels
    clock.lap("sampling")
    scores = score_pictures(
        pictures,
        cond,
        reference,
        in_distances=amounts.samples,
        repeats=repeats,
        on_progress=on_progress,
    )
    scores = scores.model_copy(update={"notes": (*scores.notes, *notes)})
    clock.lap("scores of samples")
    return Scores(
        short=short,
        seed=seed,
        reconstruction=reconstruction,
        pictures=scores,
        seconds=clock.laps,
    )


def score_reconstructions(
    model: Generator,
    val: ImageSet,
    reference: Reference,
    *,
    repeats: int = 16,
    on_progress: Progress | None = None,
) -> ReconstructionScore:
    """Kept-aside pictures through the autoencoder and back, against themselves.

    Arguments:
        model: Reconstructs.
        val: The pictures; those of the reference are used.
        reference: The real side.
        repeats: Halves behind the interval of the distance.
        on_progress: Called after each batch.
    """
    rows = reference.val_indices
    ratios, likenesses, features = [], [], []
    for start in range(0, len(rows), BATCH):
        real = val.images(rows[start : start + BATCH].tolist())
        back = to_uint8(model.reconstruct(to_float(real)))
        ratios.append(psnr(real, back).numpy())
        likenesses.append(ssim(real, back).numpy())
        features.append(reference.extractor(back))
        if on_progress is not None:
            on_progress("reconstructions", start + len(real), len(rows))
    return ReconstructionScore(
        count=len(rows),
        psnr=mean_interval(np.concatenate(ratios)),
        ssim=mean_interval(np.concatenate(likenesses)),
        frechet=frechet_score(Features.cat(features).pooled, reference, repeats=repeats),
    )


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


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 1)
        self._last = now
