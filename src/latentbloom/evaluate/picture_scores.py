"""Scores of generated pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from latentbloom.errors import LatentbloomError
from latentbloom.evaluate import FEW
from latentbloom.evaluate.features.extractor import Features, Progress, in_batches
from latentbloom.evaluate.measures.accuracy import confusion, mean_recall, recall_intervals
from latentbloom.evaluate.measures.classifier import Prediction, train_classifier
from latentbloom.evaluate.measures.combinations import combination_scores
from latentbloom.evaluate.measures.distances import extrapolated_frechet, frechet_interval
from latentbloom.evaluate.measures.intervals import share_interval
from latentbloom.evaluate.measures.kernels import kernel_interval
from latentbloom.evaluate.measures.latent_copies import worst_pairs
from latentbloom.evaluate.measures.neighbours import Manifolds, copying, spread
from latentbloom.evaluate.reference import Reference
from latentbloom.evaluate.scores import (
    ControlScore,
    CopyingScore,
    DistanceScore,
    DiversityScore,
    PictureScores,
)

ALIKE = 0.6
"""Samples of a label whose spread is below this share of the real spread look alike."""

MIN_OF_A_LABEL = 8
FEWEST_EXTRAPOLATED = 8


def score_pictures(
    pictures: Tensor,
    cond: Mapping[str, Tensor],
    reference: Reference,
    *,
    in_distances: int | None = None,
    repeats: int = 16,
    train_on_samples: bool = False,
    on_progress: Progress | None = None,
) -> PictureScores:
    """Compare generated pictures with real ones.

    Arguments:
        pictures: uint8 (N, C, H, W).
        cond: What each was asked to show, (N,) a factor; `null_index` where nothing was asked.
        reference: The real side, from `prepare_reference`.
        in_distances: How many of the pictures, from the first, enter the distances; they
            should have val's proportions of labels. The others count for condition accuracy
            alone. None: all.
        repeats: Random halves behind the interval of the Fréchet distance.
        train_on_samples: Also train a classifier on the samples, and test it on real pictures.
        on_progress: Called after each batch.
    """
    features = reference.extractor.extract(
        in_batches(pictures),
        total=len(pictures),
        text="features of samples",
        on_progress=on_progress,
    )
    return score_features(
        features,
        cond,
        reference,
        in_distances=in_distances,
        repeats=repeats,
        train_on_samples=train_on_samples,
    )


def score_features(
    features: Features,
    cond: Mapping[str, Tensor],
    reference: Reference,
    *,
    in_distances: int | None = None,
    repeats: int = 16,
    train_on_samples: bool = False,
) -> PictureScores:
    """`score_pictures` for pictures whose features are known."""
    labels = np.stack([cond[name].numpy() for name in reference.spec.names], axis=1)
    count = len(features) if in_distances is None else min(in_distances, len(features))
    near = features.pooled[:count]
    val = reference.val.pooled
    notes = list(reference.notes)
    if min(count, len(val)) < FEW:
        notes.append(
            f"{count} samples and {len(val)} real pictures: below {FEW}, a Fréchet distance "
            "is biased upwards. Compare it with its floor, and trust the kernel distance first."
        )
    if 0 < len(reference.train) < count:
        notes.append(
            f"The floor is of {len(reference.train)} training pictures, fewer than the {count} "
            "samples: it is a little too high."
        )
    return PictureScores(
        features=reference.extractor.tag,
        samples=count,
        val=len(val),
        frechet=frechet_score(near, reference, repeats=repeats, extrapolate=True),
        kernel=DistanceScore(
            name=f"KID@{count}/{reference.extractor.tag}",
            value=kernel_interval(near, val),
            floor=reference.floor("kernel", count),
        ),
        manifold=Manifolds.of(near, val).scores(),
        manifold_floor=reference.manifold_floor(count),
        control=control_scores(features, labels, reference, train_on_samples=train_on_samples),
        combinations=combination_scores(features, labels, reference),
        diversity=diversity_scores(features, labels, reference),
        copying=copying_score(near, reference),
        notes=tuple(notes),
    )


def frechet_score(
    features: np.ndarray, reference: Reference, *, repeats: int, extrapolate: bool = False
) -> DistanceScore:
    """Fréchet distance of features (N, D) to val, beside its floor: that of as many real ones.

    Arguments:
        features: Of N pictures.
        reference: The real side.
        repeats: Random halves behind the interval.
        extrapolate: Also extrapolate to infinitely many pictures, from 8 pictures on.
    """
    val, count = reference.val.pooled, len(features)
    limit = limit_floor = None
    pools = (count, len(val), len(reference.train) or len(val) // 2)
    if extrapolate and min(pools) >= FEWEST_EXTRAPOLATED:
        value, limit = extrapolated_frechet(features, val, repeats=repeats)
        limit_floor = reference.floor("extrapolated", count)
    else:
        value = frechet_interval(features, val, repeats=repeats)
    return DistanceScore(
        name=f"FD@{count}/{reference.extractor.tag}",
        value=value,
        floor=reference.floor("frechet", count),
        limit=limit,
        limit_floor=limit_floor,
    )


def control_scores(
    features: Features,
    labels: np.ndarray,
    reference: Reference,
    *,
    train_on_samples: bool = False,
) -> tuple[ControlScore, ...]:
    """Condition accuracy: how often the classifier sees what was asked for, for each factor.

    Arguments:
        features: Of N samples.
        labels: int64 (N, factors): what was asked for.
        reference: The real side.
        train_on_samples: Also train a classifier on the samples.
    """
    if reference.classifier is None:
        return ()
    from_samples = _predict_from_samples(features, labels, reference) if train_on_samples else {}
    on_samples = reference.classifier.predict(features)
    on_real = reference.classifier.predict(reference.val)
    scores = []
    for column, factor in enumerate(reference.spec.factors):
        values = len(factor.values)
        asked = labels[:, column] != factor.null_index
        known = reference.val_labels[:, column] != factor.null_index
        if factor.name not in on_samples or not asked.any() or not known.any():
            continue
        samples = on_samples[factor.name].index[asked], labels[asked, column], values
        label = reference.val_labels[known, column]
        real = on_real[factor.name].index[known], label, values
        trained_on_samples = None
        if factor.name in from_samples:
            trained_on_samples = mean_recall(from_samples[factor.name].index[known], label, values)
        scores.append(
            ControlScore(
                factor=factor.name,
                values=factor.values,
                asked=tuple(np.bincount(labels[asked, column], minlength=values).tolist()),
                met=recall_intervals(*samples),
                mean=mean_recall(*samples),
                real=recall_intervals(*real),
                real_mean=mean_recall(*real),
                confusion=confusion(*samples),
                real_confusion=confusion(*real),
                trained_on_samples=trained_on_samples,
            )
        )
    return tuple(scores)


def _predict_from_samples(
    features: Features, labels: np.ndarray, reference: Reference
) -> dict[str, Prediction]:
    """What a classifier that was trained on the samples says about real pictures."""
    try:
        return train_classifier(features, labels, reference.spec).predict(reference.val)
    except LatentbloomError:  # nothing to tell apart: a single value was asked for
        return {}


def diversity_scores(
    features: Features, labels: np.ndarray, reference: Reference
) -> tuple[DiversityScore, ...]:
    """Spread of the samples of each label, divided by that of real pictures of the label."""
    scores = []
    for column, factor in enumerate(reference.spec.factors):
        for value, word in enumerate(factor.values):
            mine = features.pooled[labels[:, column] == value]
            real = reference.val.pooled[reference.val_labels[:, column] == value]
            if min(len(mine), len(real)) < MIN_OF_A_LABEL:
                continue
            ratio = spread(mine) / max(spread(real), 1e-12)
            scores.append(
                DiversityScore(label=f"{factor.name}={word}", ratio=ratio, alarm=ratio < ALIKE)
            )
    return tuple(scores)


def copying_score(features: np.ndarray, reference: Reference) -> CopyingScore | None:
    """Share of samples that are suspiciously near to a training picture, and the nearest."""
    if len(reference.train) == 0:
        return None
    unseen = reference.val if reference.held_out is None else reference.held_out
    if len(unseen) == 0:
        return None
    found = copying(features, unseen.pooled, reference.train.pooled)
    return CopyingScore(
        share=share_interval(found.suspicious),
        threshold=found.threshold,
        searched=len(reference.train),
        worst=worst_pairs(found, [reference.train_names[k] for k in found.partners]),
    )
