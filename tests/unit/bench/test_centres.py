"""How far classes lie apart, on latents made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.centres import separation
from latentbloom.conditions import ConditionSpec, Factor

SPEC = ConditionSpec((Factor("kind", ("a", "b")), Factor("only", ("x", "y"))))


def test_accuracy_and_spread_of_latents_made_by_hand() -> None:
    # Centres at -3 and 3, each latent 1 away from its own; the last is of unknown kind.
    z = np.array([[-4.0], [-2.0], [2.0], [4.0], [100.0]], np.float32)
    labels = np.array([[0, 0], [0, 0], [1, 0], [1, 0], [2, 0]])
    val = (
        np.array([[-1.0], [1.0], [0.5], [-5.0]], np.float32),
        np.array([[0, 0], [0, 0], [1, 0], [0, 0]]),
    )
    (row,) = separation((z, labels), val, SPEC)  # nothing is told of "only": one value is there
    assert row["factor"] == "kind"
    assert row["spread"] == pytest.approx(6.0)
    assert row["of_each"]["a"]["value"] == pytest.approx(2 / 3)
    assert row["accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert row["chance"] == 0.5
