"""Scores of a whole run: reconstructions, samples, condition accuracy, copying."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from latentbloom.data.imageset import ImageSet
from latentbloom.data.pixels import to_float, to_uint8
from latentbloom.evaluate.against.about import Against
from latentbloom.evaluate.features.extractor import BATCH, FeatureExtractor, Features, Progress
from latentbloom.evaluate.measures.combinations import unseen_combinations
from latentbloom.evaluate.measures.fidelity import map_distance, psnr, ssim
from latentbloom.evaluate.measures.intervals import mean_interval
from latentbloom.evaluate.picture_scores import frechet_score, score_pictures
from latentbloom.evaluate.reference import MAX_TRAIN, Reference, prepare_reference
from latentbloom.evaluate.reference_notes import MIN_VAL
from latentbloom.evaluate.scores import CopyingScore, ReconstructionScore, Scores
from latentbloom.evaluate.workload import (
    Amounts,
    Generator,
    affordable,
    in_proportion,
    known_words,
    top_up,
)

FEWEST = 256
MOST = 2000
PER_LABEL = 200
SHORT_BUDGET = 45.0
PERCEPTUAL_PICTURES = 256


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
    reference: Reference | None = None,
    extractor: FeatureExtractor | None = None,
    cache: Path | str | None = "user",
    against: Against | None = None,
    on_copies: Callable[[Tensor, CopyingScore], object] | None = None,
    on_progress: Progress | None = None,
) -> Scores:
    """Score a model. A pixel model has no autoencoder, so no scores of reconstructions.

    Arguments:
        model: Reconstructs and samples.
        train: The pictures that it was trained on.
        val: Held-out pictures, or those of another source.
        n: Samples in val's proportions of labels; default as many as val has, from 256 to 2,000.
        per_label: Generate at least this many samples for each value of each factor.
        seed: Of the samples.
        short: Use fewer pictures, so that it takes about `budget_seconds`.
        budget_seconds: Only for short scores; default 45.
        reference: The real side of `train` and `val`; prepared when left out.
        extractor: The feature extractor, unless a reference is given; made when left out.
        cache: As in `prepare_reference`.
        against: What `val` is, where it is another source. Where that has no labels, samples are
            asked for in the proportions of the training pictures, and condition accuracy is not
            measured.
        on_copies: Called with the samples, uint8 (N, C, H, W), and which of them are nearest to
            training pictures.
        on_progress: Called with the name of a part, how much of it is done, and its total.

    Raises:
        LatentbloomError: There are too few held-out pictures to compare with.
    """
    wanted = n or min(max(len(val), FEWEST), MOST)
    amounts = Amounts(wanted, per_label, len(val), MAX_TRAIN)
    extractor = reference.extractor if reference else extractor or FeatureExtractor()
    if short and len(val) >= MIN_VAL:
        amounts = affordable(
            model, extractor, train, val, budget_seconds or SHORT_BUDGET, wanted=wanted
        )
    reference = reference or prepare_reference(
        train,
        val,
        max_train=amounts.train,
        max_val=amounts.val,
        extractor=extractor,
        cache=cache,
        on_progress=on_progress,
    )
    clock = _Clock({"real pictures": round(reference.seconds, 1)})
    repeats = 6 if short else 16
    reconstruction = None
    if model.reconstructs:
        reconstruction = score_reconstructions(
            model, val, reference, repeats=repeats, perceptual=not short, on_progress=on_progress
        )
        clock.lap("reconstructions")
    labelled = against is None or against.labelled
    proportions = reference.val_labels if labelled or not len(train) else train.labels
    labels = in_proportion(proportions, amounts.samples, seed)
    more = top_up(labels, reference.spec, amounts.per_label if labelled else 0)
    unseen = np.array(unseen_combinations(reference), np.int64).reshape(-1, labels.shape[1])
    unseen = unseen.repeat(amounts.per_label // 4, axis=0)
    labels = np.concatenate([labels, more, unseen])
    cond = {
        name: torch.from_numpy(labels[:, column].copy())
        for column, name in enumerate(reference.spec.names)
    }
    words, notes = known_words(reference.spec.words(cond), model.spec)
    show = None if on_progress is None else partial(on_progress, "samples")
    samples = model.sample(cond=words, n=len(words), seed=seed, on_progress=show)
    clock.lap("sampling")
    scores = score_pictures(
        samples.pixels,
        cond,
        reference,
        in_distances=amounts.samples,
        repeats=repeats,
        train_on_samples=not short,
        on_progress=on_progress,
    )
    scores = scores.model_copy(update={"notes": (*scores.notes, *notes)})
    if on_copies is not None and scores.copying is not None:
        on_copies(samples.pixels, scores.copying)
    clock.lap("scores of samples")
    return Scores(
        against=against,
        short=short,
        seed=seed,
        settings=samples.settings,
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
    perceptual: bool = True,
    on_progress: Progress | None = None,
) -> ReconstructionScore:
    """Compare held-out pictures with their reconstructions.

    Arguments:
        model: Reconstructs.
        val: The pictures; those in the reference are used.
        reference: The real side.
        repeats: Random halves behind the interval of the distance.
        perceptual: Also measure the distance in feature maps, on the first 256.
        on_progress: Called after each batch.
    """
    rows, extractor = reference.val_indices, reference.extractor
    ratios, likenesses, apart, features = [], [], [], []
    for start in range(0, len(rows), BATCH):
        real = val.images(rows[start : start + BATCH].tolist())
        back = to_uint8(model.reconstruct(to_float(real)))
        ratios.append(psnr(real, back).numpy())
        likenesses.append(ssim(real, back).numpy())
        features.append(extractor(back))
        if perceptual and start < PERCEPTUAL_PICTURES:
            with torch.inference_mode():
                apart.append(map_distance(extractor.maps(real), extractor.maps(back)).numpy())
        if on_progress is not None:
            on_progress("reconstructions", start + len(real), len(rows))
    return ReconstructionScore(
        count=len(rows),
        psnr=mean_interval(np.concatenate(ratios)),
        ssim=mean_interval(np.concatenate(likenesses)),
        perceptual=mean_interval(np.concatenate(apart)) if perceptual else None,
        frechet=frechet_score(Features.cat(features).pooled, reference, repeats=repeats),
    )


class _Clock:
    def __init__(self, laps: dict[str, float]) -> None:
        self.laps = laps
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 1)
        self._last = now
