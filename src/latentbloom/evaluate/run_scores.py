"""Scores of a whole run: reconstructions, samples, condition accuracy, copying."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from latentbloom.data.imageset import ImageSet
from latentbloom.data.pixels import to_float, to_uint8
from latentbloom.evaluate.against.about import Against
from latentbloom.evaluate.features.extractor import BATCH, FeatureExtractor, Features, Progress
from latentbloom.evaluate.features.together import features_together, sample_together
from latentbloom.evaluate.measures.combinations import unseen_combinations
from latentbloom.evaluate.measures.fidelity import map_distance, psnr, ssim
from latentbloom.evaluate.measures.intervals import mean_interval
from latentbloom.evaluate.measures.latent_copies import copies_in_latents
from latentbloom.evaluate.picture_scores import frechet_score, score_features
from latentbloom.evaluate.reference import MAX_TRAIN, Reference, prepare_reference
from latentbloom.evaluate.reference_notes import MIN_VAL
from latentbloom.evaluate.scores import CopyingScore, ReconstructionScore, Scores
from latentbloom.evaluate.workload import (
    Amounts,
    Generator,
    affordable,
    in_proportion,
    known_words,
    labels_of,
    top_up,
)
from latentbloom.model.sample_tars import TarSamples
from latentbloom.sharing import ALONE, Group

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
    group: Group = ALONE,
    samples: TarSamples | None = None,
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
        group: Processes that share sampling and features; all call this, with equal arguments.
        samples: Score these, and sample nothing; `n` and `per_label` are not used.

    Raises:
        LatentbloomError: There are too few held-out pictures to compare with.
    """
    wanted = n or min(max(len(val), FEWEST), MOST)
    amounts = Amounts(wanted, per_label, len(val), MAX_TRAIN)
    extractor = reference.extractor if reference else extractor or FeatureExtractor()
    if short and len(val) >= MIN_VAL:
        seconds = (budget_seconds or SHORT_BUDGET) * group.count
        amounts = group.same(affordable(model, extractor, train, val, seconds, wanted=wanted))
    reference = reference or prepare_reference(
        train,
        val,
        max_train=amounts.train,
        max_val=amounts.val,
        extractor=extractor,
        cache=cache,
        on_progress=on_progress,
        group=group,
    )
    clock = _Clock({"real pictures": round(reference.seconds, 1)})
    repeats = 6 if short else 16
    reconstruction = None
    if model.reconstructs:
        reconstruction = score_reconstructions(
            model,
            val,
            reference,
            repeats=repeats,
            perceptual=not short,
            on_progress=on_progress,
            group=group,
        )
        clock.lap("reconstructions")
    labelled = against is None or against.labelled
    if samples is None:
        proportions = reference.val_labels if labelled or not len(train) else train.labels
        labels = _asked(reference, proportions, amounts, seed, labelled=labelled)
        words, notes = known_words(reference.spec.words(_cond(reference, labels)), model.spec)
        show = None if on_progress is None else partial(on_progress, "samples")
        drawn = sample_together(model, words, group, seed=seed, on_progress=show)
    else:
        drawn = samples
        labels, notes = labels_of(samples.cond, reference.spec, reference.val_labels)
        notes = [*samples.notes, *notes]
    clock.lap("sampling")
    features = features_together(
        extractor, drawn.pixels, group, text="features of samples", on_progress=on_progress
    )
    scores = score_features(
        features,
        _cond(reference, labels),
        reference,
        in_distances=amounts.samples if samples is None else None,
        repeats=repeats,
        train_on_samples=not short,
    )
    scores = scores.model_copy(update={"notes": (*scores.notes, *notes)})
    found = copies_in_latents(model, drawn.pixels[: scores.samples], train)
    if scores.copying is not None and found and found.share.value > scores.copying.share.value:
        scores = scores.model_copy(update={"copying": found})
    if on_copies is not None and scores.copying is not None:
        on_copies(drawn.pixels, scores.copying)
    clock.lap("scores of samples")
    return Scores(
        against=against,
        short=short,
        seed=seed,
        settings=drawn.settings,
        reconstruction=reconstruction,
        pictures=scores,
        seconds=clock.laps,
    )


def _asked(
    reference: Reference, proportions: np.ndarray, amounts: Amounts, seed: int, *, labelled: bool
) -> np.ndarray:
    """What samples are asked for, int64 (N, factors): in proportion, and then more of rare ones."""
    labels = in_proportion(proportions, amounts.samples, seed)
    more = top_up(labels, reference.spec, amounts.per_label if labelled else 0)
    unseen = np.array(unseen_combinations(reference), np.int64).reshape(-1, labels.shape[1])
    return np.concatenate([labels, more, unseen.repeat(amounts.per_label // 4, axis=0)])


def _cond(reference: Reference, labels: np.ndarray) -> dict[str, Tensor]:
    return {
        name: torch.from_numpy(labels[:, column].copy())
        for column, name in enumerate(reference.spec.names)
    }


def score_reconstructions(
    model: Generator,
    val: ImageSet,
    reference: Reference,
    *,
    repeats: int = 16,
    perceptual: bool = True,
    on_progress: Progress | None = None,
    group: Group = ALONE,
) -> ReconstructionScore:
    """Compare held-out pictures with their reconstructions.

    Arguments:
        model: Reconstructs.
        val: The pictures; those in the reference are used.
        reference: The real side.
        repeats: Random halves behind the interval of the distance.
        perceptual: Also measure the distance in feature maps, on the first 256.
        on_progress: Called after each batch.
        group: Processes that share the work; all call this.
    """
    rows, extractor = reference.val_indices, reference.extractor
    found: list[_Batch] = []
    starts = range(0, len(rows), BATCH)
    for start in starts[group.index :: group.count]:
        real = val.images(rows[start : start + BATCH].tolist())
        back = to_uint8(model.reconstruct(to_float(real)))
        apart = np.zeros(0)
        if perceptual and start < PERCEPTUAL_PICTURES:
            with torch.inference_mode():
                apart = map_distance(extractor.maps(real), extractor.maps(back)).numpy()
        found.append(
            _Batch(psnr(real, back).numpy(), ssim(real, back).numpy(), apart, extractor(back))
        )
        if on_progress is not None:
            on_progress("reconstructions", start + len(real), len(rows))
    found = group.gather(found)
    return ReconstructionScore(
        count=len(rows),
        psnr=mean_interval(np.concatenate([batch.psnr for batch in found])),
        ssim=mean_interval(np.concatenate([batch.ssim for batch in found])),
        perceptual=mean_interval(np.concatenate([b.apart for b in found])) if perceptual else None,
        frechet=frechet_score(
            Features.cat([batch.features for batch in found]).pooled, reference, repeats=repeats
        ),
    )


class _Batch(NamedTuple):
    """Measures of a batch of reconstructions."""

    psnr: np.ndarray
    ssim: np.ndarray
    apart: np.ndarray
    features: Features


class _Clock:
    def __init__(self, laps: dict[str, float]) -> None:
        self.laps = laps
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 1)
        self._last = now
