"""Scores of pictures, and of a whole run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from latentbloom.errors import LatentbloomError
from latentbloom.evaluate import FEW
from latentbloom.evaluate.features.extractor import Features, Progress, in_batches
from latentbloom.evaluate.measures.classifier import (
    Verdict,
    confusion,
    mean_of_known,
    recalls,
    train_judge,
)
from latentbloom.evaluate.measures.combinations import combination_scores
from latentbloom.evaluate.measures.distances import (
    Interval,
    bootstrap,
    frechet_interval,
    kernel_interval,
    share_interval,
)
from latentbloom.evaluate.measures.neighbours import Manifolds, copying, spread
from latentbloom.evaluate.reference import Reference
from latentbloom.evaluate.scores import (
    ControlScore,
    CopyingScore,
    CopyPair,
    DistanceScore,
    DiversityScore,
    PictureScores,
)

ALIKE = 0.6
"""Samples of a label whose spread is below this share of the real spread look alike."""

MIN_OF_A_LABEL = 8
WORST_PAIRS = 8


def score_pictures(
    pictures: Tensor,
    cond: Mapping[str, Tensor],
    reference: Reference,
    *,
    in_distances: int | None = None,
    repeats: int = 16,
    teach: bool = False,
    on_progress: Progress | None = None,
) -> PictureScores:
    """Compare generated pictures with real ones.

    Arguments:
        pictures: uint8 (N, C, H, W).
        cond: What was asked of each, (N,) a factor; `null_index` where nothing was.
        reference: The real side, from `prepare_reference`.
        in_distances: How many of the pictures, from the first, enter the distances; they
            should come in val's proportions. The others count for control alone. None: all.
        repeats: Halves behind the interval of the Fréchet distance.
        teach: Teach a judge with the samples, too, and test it on real pictures.
        on_progress: Called after each batch.
    """
    features = reference.extractor.extract(
        in_batches(pictures),
        total=len(pictures),
        text="features of samples",
        on_progress=on_progress,
    )
    return score_features(
        features, cond, reference, in_distances=in_distances, repeats=repeats, teach=teach
    )


def score_features(
    features: Features,
    cond: Mapping[str, Tensor],
    reference: Reference,
    *,
    in_distances: int | None = None,
    repeats: int = 16,
    teach: bool = False,
) -> PictureScores:
    """`score_pictures` for pictures whose features are there already."""
    labels = np.stack([cond[name].numpy() for name in reference.spec.names], axis=1)
    count = len(features) if in_distances is None else min(in_distances, len(features))
    near = features.pooled[:count]
    val = reference.val.pooled
    notes = list(reference.notes)
    if min(count, len(val)) < FEW:
        notes.append(
            f"{count} samples and {len(val)} real pictures: below {FEW} a Fréchet distance is "
            "biased upwards by small numbers. Read it beside its floor, and trust the kernel "
            "distance first."
        )
    if count > len(reference.train):
        notes.append(
            f"The floor is of {len(reference.train)} training pictures, fewer than the {count} "
            "samples: it is a little too high."
        )
    return PictureScores(
        features=reference.extractor.tag,
        samples=count,
        val=len(val),
        frechet=frechet_score(near, reference, repeats=repeats),
        kernel=DistanceScore(
            name=f"KID@{count}/{reference.extractor.tag}",
            value=kernel_interval(near, val),
            floor=reference.floor("kernel", count),
        ),
        manifold=Manifolds.of(near, val).scores(),
        manifold_floor=reference.manifold_floor(count),
        control=control_scores(features, labels, reference, teach=teach),
        combinations=combination_scores(features, labels, reference),
        diversity=diversity_scores(features, labels, reference),
        copying=copying_score(near, reference),
        notes=tuple(notes),
    )


def frechet_score(features: np.ndarray, reference: Reference, *, repeats: int) -> DistanceScore:
    """Fréchet distance of features (N, D) to val, beside the floor of as many real ones."""
    return DistanceScore(
        name=f"FD@{len(features)}/{reference.extractor.tag}",
        value=frechet_interval(features, reference.val.pooled, repeats=repeats),
        floor=reference.floor("frechet", len(features)),
    )


def control_scores(
    features: Features, labels: np.ndarray, reference: Reference, *, teach: bool = False
) -> tuple[ControlScore, ...]:
    """How often the judge sees what was asked, a factor.

    Arguments:
        features: Of N samples.
        labels: int64 (N, factors): what was asked.
        reference: The real side.
        teach: Teach a judge with the samples, too.
    """
    if reference.judge is None:
        return ()
    pupil = _pupil(features, labels, reference) if teach else None
    on_samples = reference.judge.judge(features)
    on_real = reference.judge.judge(reference.val)
    scores = []
    for column, factor in enumerate(reference.spec.factors):
        values = len(factor.values)
        asked = labels[:, column] != factor.null_index
        known = reference.val_labels[:, column] != factor.null_index
        if factor.name not in on_samples or not asked.any() or not known.any():
            continue
        seen, wanted = on_samples[factor.name].answer[asked], labels[asked, column]
        real_seen = on_real[factor.name].answer[known]
        real_label = reference.val_labels[known, column]
        scores.append(
            ControlScore(
                factor=factor.name,
                values=factor.values,
                asked=tuple(np.bincount(wanted, minlength=values).tolist()),
                met=_met(seen, wanted, values),
                mean=_mean_recall(seen, wanted, values),
                real=_met(real_seen, real_label, values),
                real_mean=_mean_recall(real_seen, real_label, values),
                confusion=_rows(confusion(seen, wanted, values)),
                real_confusion=_rows(confusion(real_seen, real_label, values)),
                taught_by_samples=None
                if pupil is None or factor.name not in pupil
                else _mean_recall(pupil[factor.name].answer[known], real_label, values),
            )
        )
    return tuple(scores)


def _pupil(
    features: Features, labels: np.ndarray, reference: Reference
) -> dict[str, Verdict] | None:
    """What a judge that was taught by samples says about real pictures."""
    try:
        return train_judge(features, labels, reference.spec).judge(reference.val)
    except LatentbloomError:  # nothing to tell apart: a single value was asked for
        return None


def _rows(table: list[list[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in table)


def _met(seen: np.ndarray, wanted: np.ndarray, values: int) -> tuple[Interval | None, ...]:
    hits = [seen[wanted == value] == value for value in range(values)]
    return tuple(share_interval(h) if len(h) else None for h in hits)


def _mean_recall(seen: np.ndarray, wanted: np.ndarray, values: int) -> Interval:
    def statistic(rows: np.ndarray) -> float:
        return mean_of_known(recalls(seen[rows], wanted[rows], values))

    return bootstrap(statistic, len(seen))


def diversity_scores(
    features: Features, labels: np.ndarray, reference: Reference
) -> tuple[DiversityScore, ...]:
    """Spread of the samples of each label over the spread of real pictures with it."""
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
    """Share of samples that come suspiciously near to a training picture, and the worst."""
    if len(reference.train) == 0:
        return None
    found = copying(features, reference.val.pooled, reference.train.pooled)
    worst = np.argsort(found.distances, kind="stable")[:WORST_PAIRS]
    return CopyingScore(
        share=share_interval(found.suspicious),
        threshold=found.threshold,
        searched=len(reference.train),
        worst=tuple(
            CopyPair(
                sample=int(index),
                train=reference.train_names[found.partners[index]],
                distance=float(found.distances[index]),
            )
            for index in worst
        ),
    )
