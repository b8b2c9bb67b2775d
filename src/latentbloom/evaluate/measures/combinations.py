"""Combinations of labels that no training picture has: can the model generate them?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from latentbloom.conditions import ConditionSpec
from latentbloom.evaluate.features.extractor import Features
from latentbloom.evaluate.measures.classifier import Prediction
from latentbloom.evaluate.measures.intervals import Interval, share_interval
from latentbloom.evaluate.measures.kernels import kernel_interval
from latentbloom.evaluate.reference import Reference
from latentbloom.evaluate.scores import CombinationScore

FEWEST_PICTURES = 16
"""With fewer samples or real pictures than this, no distance is given."""

Combination = tuple[int, ...]


def combinations_of(labels: np.ndarray, spec: ConditionSpec) -> set[Combination]:
    """The combinations that occur, without rows that have an unknown value.

    Arguments:
        labels: int64 (N, factors).
        spec: The factors.
    """
    nothing = np.array([factor.null_index for factor in spec.factors])
    whole = labels[(labels != nothing).all(axis=1)]
    return {tuple(row) for row in np.unique(whole, axis=0).tolist()}


def unseen_combinations(reference: Reference) -> list[Combination]:
    """Combinations of val that no training picture has, in order."""
    if len(reference.spec.factors) < 2:
        return []
    return sorted(combinations_of(reference.val_labels, reference.spec) - reference.seen)


def combination_scores(
    features: Features, labels: np.ndarray, reference: Reference
) -> tuple[CombinationScore, ...]:
    """Scores of combinations that training pictures have, and of those that they lack.

    Arguments:
        features: Of N samples.
        labels: int64 (N, factors): what was asked for.
        reference: The real side.

    Returns:
        "seen" and "unseen"; nothing where there is one factor, no classifier, or nothing unseen.
    """
    spec, classifier = reference.spec, reference.classifier
    unseen = set(unseen_combinations(reference))
    if classifier is None or not unseen:
        return ()
    all_met = _all_right(classifier.predict(features), labels, spec)
    real_met = _all_right(classifier.predict(reference.val), reference.val_labels, spec)
    scores = []
    for which, wanted in (("seen", reference.seen), ("unseen", unseen)):
        mine, real = _rows_of(labels, wanted), _rows_of(reference.val_labels, wanted)
        if not mine.any():
            continue
        kernel: Interval | None = None
        if min(mine.sum(), real.sum()) >= FEWEST_PICTURES:
            kernel = kernel_interval(features.pooled[mine], reference.val.pooled[real])
        scores.append(
            CombinationScore(
                which=which,
                combinations=tuple(_words(c, spec) for c in sorted(wanted)),
                asked=int(mine.sum()),
                met=share_interval(all_met[mine]),
                real=share_interval(real_met[real]) if real.any() else None,
                kernel=kernel,
            )
        )
    return tuple(scores)


def _all_right(
    predictions: Mapping[str, Prediction], labels: np.ndarray, spec: ConditionSpec
) -> np.ndarray:
    """Mask (N,): every factor that the classifier knows is predicted as labelled."""
    right = np.ones(len(labels), bool)
    for column, name in enumerate(spec.names):
        if name in predictions:
            right &= predictions[name].index == labels[:, column]
    return right


def _rows_of(labels: np.ndarray, wanted: set[Combination] | frozenset[Combination]) -> np.ndarray:
    return np.array([tuple(row) in wanted for row in labels.tolist()], bool)


def _words(combination: Combination, spec: ConditionSpec) -> str:
    pairs = zip(spec.factors, combination, strict=True)
    return ", ".join(f"{factor.name}={factor.word(index)}" for factor, index in pairs)
