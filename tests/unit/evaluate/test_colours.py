"""Colour asked against colour found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.errors import ConditionError
from latentbloom.evaluate.measures.colour_agreement import (
    agreement_of,
    colour_agreement,
    conditions_of_colour,
)

INKS = {"red": (210, 30, 30), "blue": (40, 80, 210), "white": (245, 245, 245)}
SPEC = ConditionSpec((Factor("colour", tuple(INKS)), Factor("species", ("rose", "tulip"))))


class Painter:
    """Paints what it is asked for, only that blue comes out white every second time."""

    spec = SPEC
    reconstructs = False

    def reconstruct(self, images: torch.Tensor) -> torch.Tensor:
        return images

    def sample(
        self,
        cond: Sequence[Mapping[str, str]],
        n: int,
        seed: int,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> SimpleNamespace:
        self.asked = [dict(words) for words in cond]
        blues = iter(range(n))
        inks = [
            "white" if w["colour"] == "blue" and next(blues) % 2 else w["colour"]
            for w in self.asked
        ]
        pixels = np.stack([np.full((16, 16, 3), INKS[ink], np.uint8) for ink in inks])
        return SimpleNamespace(pixels=torch.from_numpy(pixels).permute(0, 3, 1, 2), settings={})


def test_every_combination_is_asked_equally_often_and_misses_are_counted() -> None:
    painter = Painter()
    result = colour_agreement(painter, n=60)
    assert set(Counter(tuple(w.items()) for w in painter.asked).values()) == {10}
    assert result.asked == ("red", "blue", "white")
    assert result.pairs[("blue", "white")] == result.pairs[("blue", "blue")] == 10
    assert result.agreement("red").value == 1.0
    assert result.agreement("blue").value == 0.5
    assert result.agreement().value == pytest.approx(5 / 6)
    assert result.agreement().low < 5 / 6 < result.agreement().high


def test_where_combinations_are_many_the_rest_is_left_open() -> None:
    many = ConditionSpec((*SPEC.factors, Factor("place", tuple(map(str, range(50))))))
    asked = conditions_of_colour(many, 31)
    assert len(asked) == 31
    assert asked[:3] == [{"colour": "red"}, {"colour": "blue"}, {"colour": "white"}]


def test_a_model_without_colour_is_refused() -> None:
    with pytest.raises(ConditionError, match="'colour' is no condition of this model"):
        conditions_of_colour(ConditionSpec((Factor("species", ("rose",)),)), 10)


def test_a_colour_that_was_not_asked_for_can_be_found() -> None:
    green = np.full((2, 20, 20, 3), (60, 150, 60), np.uint8)
    result = agreement_of(["red", "red"], green)
    assert result.asked == ("red",)
    assert result.found == ("red", "green")
    assert result.agreement().value == 0.0
