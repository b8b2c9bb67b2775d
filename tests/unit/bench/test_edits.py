"""The table of editing methods: who is edited to what, and what is counted."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch

from bench.edits import HEADS, POOL, Held, choose, error_of, own_nearest, row_of
from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.evaluate.features.extractor import FeatureExtractor
from latentbloom.evaluate.measures.classifier import ConditionClassifier


def held(words: list[dict[str, str]]) -> Held:
    spec = ConditionSpec((Factor("colour", ("red", "blue", "white")),))
    pixels = torch.zeros(len(words), 3, 4, 4, dtype=torch.uint8)
    return Held(pixels, words, cast(FeatureExtractor, None), ConditionClassifier(spec, {}))


def test_each_picture_goes_to_the_next_value_of_its_own() -> None:
    words = [{"colour": c} for c in ("red", "white", "any", "blue", "red")]
    rows, goals = choose(held(words), "colour", None, 3)
    assert rows == [0, 1, 3]  # what it shows is not known of the third
    assert goals == ["blue", "red", "white"]


def test_pictures_that_show_the_value_already_are_left_out() -> None:
    words = [{"colour": c} for c in ("red", "white", "blue", "red")]
    rows, goals = choose(held(words), "colour", "red", 10)
    assert rows == [1, 2]
    assert goals == ["red", "red"]


def test_no_picture_is_edited_that_is_not_among_the_originals() -> None:
    rows, _ = choose(held([{"colour": "red"}] * (POOL + 50)), "colour", "blue", 10**6)
    assert rows == list(range(POOL))


def test_the_nearest_original_is_found() -> None:
    pool = np.random.default_rng(0).normal(size=(40, 7))
    edited = pool[[3, 8, 9]] + 0.01
    assert own_nearest(pool, edited, [3, 8, 9]) == 1
    assert own_nearest(pool, edited, [3, 8, 10]) == pytest.approx(2 / 3)
    far = ((edited[:, None] - pool[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert far.tolist() == [3, 8, 9]


def test_the_error_is_in_steps_of_a_byte() -> None:
    first = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert error_of(first, first + 2) == 2
    assert error_of(first + 250, first) == 250  # no overflow


def test_a_row_has_a_cell_for_each_head() -> None:
    found = dict.fromkeys(
        ("reached", "drifted", "own features", "own pixels", "null", "back", "distance"), 0.5
    )
    row = row_of("flowedit", 0.6, {**found, "seconds": 0.123})
    assert len(row) == len(HEADS)
    assert row == (
        *("flowedit", "0.6", "50%", "50.0%", "50% / 50%"),
        *("0.50", "0.50", "0.500", "0.12"),
    )
