"""Combinations kept out of training."""

from __future__ import annotations

import itertools

import pytest

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import DataSettings
from latentbloom.data.sources.base import Entry
from latentbloom.data.sources.holdout import Combination, held_out
from latentbloom.data.sources.open import open_source
from latentbloom.errors import ConditionError, ConfigError

SPEC = ConditionSpec(
    (Factor("species", ("rose", "tulip", "daisy")), Factor("colour", ("red", "blue")))
)


def without(entries: tuple[Entry, ...], held: frozenset[Combination]) -> list[Entry]:
    return [entry for entry in entries if entry.labels not in held]


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


def test_a_source_without_them_trains_on_the_rest_and_keeps_them_aside() -> None:
    data = DataSettings(source="synthetic-flowers:400", hold_out="species=rose,colour=red; 0")
    with pytest.raises(ConditionError, match="'0'"):
        open_source(data, seed=0)
    pair = "species=rose,colour=red"
    whole = open_source(data.model_copy(update={"hold_out": ""}), seed=0)
    source = open_source(data.model_copy(update={"hold_out": pair}), seed=0)
    rose_red = (
        source.spec.factor("species").index("rose"),
        source.spec.factor("colour").index("red"),
    )
    splits = [entry.split for entry in source.entries if entry.labels == rose_red]
    assert splits
    assert set(splits) == {"val"}
    gone = set(whole.entries) - set(source.entries)
    assert {entry.labels for entry in gone} == {rose_red}
    assert {entry.split for entry in gone} == {"train"}
    assert f"Held out of training, {len(gone)} pictures: rose red." in source.notes
    one = source.entries[0]
    assert (source.read(one, size=32) == whole.read(one, size=32)).all()
