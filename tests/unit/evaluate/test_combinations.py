"""Combinations that training pictures lack are asked for, and scored on their own."""

from __future__ import annotations

import numpy as np
import pytest

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.evaluate.features.extractor import FeatureExtractor, Features
from latentbloom.evaluate.measures.classifier import train_classifier
from latentbloom.evaluate.measures.combinations import combination_scores, unseen_combinations
from latentbloom.evaluate.reference import Reference
from latentbloom.evaluate.scores import CombinationScore

SPEC = ConditionSpec((Factor("a", ("0", "1")), Factor("b", ("0", "1"))))
GRID = 6656


def features_of(labels: np.ndarray, seed: int) -> Features:
    """Features in which factor a moves one half of each view of the classifier, b the other."""
    rng = np.random.default_rng(seed)
    grid = rng.normal(0, 1, (len(labels), GRID))
    grid[:, ::2] += 0.5 * labels[:, :1]
    grid[:, 1::2] += 0.5 * labels[:, 1:]
    pooled = rng.normal(0, 1, (len(labels), 6)) + labels[:, [0, 0, 0, 1, 1, 1]]
    return Features(pooled.astype(np.float32), grid.astype(np.float16))


def every(count: int, pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array([pair for pair in pairs for _ in range(count)])


@pytest.fixture(scope="module")
def reference() -> Reference:
    shown = every(60, [(0, 0), (0, 1), (1, 0)])  # (1, 1) is kept out
    val = every(20, [(0, 0), (0, 1), (1, 0), (1, 1)])
    train = features_of(shown, 0)
    return Reference(
        extractor=FeatureExtractor(size=32),
        spec=SPEC,
        val=features_of(val, 1),
        val_indices=np.arange(len(val)),
        val_labels=val,
        train=train,
        train_names=tuple(map(str, range(len(train)))),
        classifier=train_classifier(train, shown, SPEC),
        seen=frozenset({(0, 0), (0, 1), (1, 0)}),
    )


def scores_of(made: np.ndarray, asked: np.ndarray, reference: Reference) -> list[CombinationScore]:
    return list(combination_scores(features_of(made, 2), asked, reference))


def test_the_unseen_one_is_found(reference: Reference) -> None:
    assert unseen_combinations(reference) == [(1, 1)]


def test_a_model_that_puts_labels_together(reference: Reference) -> None:
    asked = every(20, [(0, 0), (0, 1), (1, 0), (1, 1)])
    seen, unseen = scores_of(asked, asked, reference)
    assert (seen.which, unseen.which) == ("seen", "unseen")
    assert unseen.combinations == ("a=1, b=1",)
    assert (seen.asked, unseen.asked) == (60, 20)
    assert seen.met.value > 0.9
    assert unseen.met.value > 0.8
    assert unseen.kernel is not None
    assert unseen.kernel.low < 0.2


def test_a_model_that_falls_back_to_what_it_saw(reference: Reference) -> None:
    asked = every(20, [(0, 0), (0, 1), (1, 0), (1, 1)])
    made = np.where((asked == 1).all(axis=1, keepdims=True), [1, 0], asked)
    seen, unseen = scores_of(made, asked, reference)
    assert seen.met.value > 0.9
    assert unseen.met.value < 0.2
    assert seen.kernel is not None
    assert unseen.kernel is not None
    assert seen.kernel.low < 0.0 < unseen.kernel.low
    assert unseen.kernel.value > 10 * seen.kernel.value


def test_nothing_unseen_no_scores(reference: Reference) -> None:
    from dataclasses import replace

    asked = every(5, [(0, 0), (1, 0)])
    everything = replace(reference, seen=frozenset({(0, 0), (0, 1), (1, 0), (1, 1)}))
    assert scores_of(asked, asked, everything) == []
