"""Combinations kept out of training."""

from __future__ import annotations

import itertools

import pytest

from latentbloom.data.conditions import ConditionSpec, Factor
from latentbloom.data.holdout import held_out, without
from latentbloom.data.source import Entry
from latentbloom.errors import ConditionError, ConfigError

SPEC = ConditionSpec(
    (Factor("species", ("rose", "tulip", "daisy")), Factor("colour", ("red", "blue")))
)
ENTRIES = tuple(
    Entry(f"train/{a}-{b}-{k}.png", (a, b), "train")
    # Index 2 of colour is "any": of two pictures the colour is not known.
    for a, b in (*itertools.product(range(3), range(2)), (0, 2))
    for k in range(2)
)


def test_named_pairs() -> None:
    held = held_out("species=rose,colour=blue; species=daisy,colour=red", ENTRIES, SPEC)
    assert held == {(0, 1), (2, 0)}
    left = without(ENTRIES, held)
    assert len(left) == len(ENTRIES) - 4
    assert ENTRIES[-1] in left  # a picture of unknown colour is no such pair


def test_a_share_is_the_same_each_time_and_leaves_every_value() -> None:
    held = held_out("0.34", ENTRIES, SPEC, seed=3)
    assert len(held) == 2
    assert held == held_out("0.34", ENTRIES, SPEC, seed=3)
    assert len({held_out("0.34", ENTRIES, SPEC, seed=seed) for seed in range(8)}) > 1
    for share, seed in itertools.product(("0.5", "0.9"), range(6)):
        left = without(ENTRIES, held_out(share, ENTRIES, SPEC, seed=seed))
        assert {e.labels[0] for e in left} == {0, 1, 2}
        assert {e.labels[1] for e in left} >= {0, 1}


def test_nothing_is_held_out_of_nothing() -> None:
    assert held_out("", ENTRIES, SPEC) == frozenset()
    assert held_out("0", ENTRIES, SPEC) == frozenset()


def test_a_value_that_would_not_be_shown() -> None:
    with pytest.raises(ConfigError, match="leaves no training picture with species=rose"):
        held_out("species=rose", ENTRIES, SPEC)


def test_one_factor_has_no_combinations() -> None:
    spec = ConditionSpec((Factor("smiling", ("no", "yes")),))
    with pytest.raises(ConfigError, match="Combinations take two factors or more"):
        held_out("smiling=yes", (), spec)


def test_a_share_above_one() -> None:
    with pytest.raises(ConfigError, match=r"A share of 1\.5 cannot be held out"):
        held_out("1.5", ENTRIES, SPEC)


def test_a_word_that_is_not_known() -> None:
    with pytest.raises(ConditionError, match="'blu' is no value of 'colour'"):
        held_out("species=rose,colour=blu", ENTRIES, SPEC)
