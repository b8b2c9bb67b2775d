"""Presets: what they name, and classes by name or number."""

from __future__ import annotations

from pathlib import Path

import pytest

import latentbloom
from latentbloom.compat.classes import class_words, combine
from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.errors import ConditionError, ConfigError
from latentbloom.presets import PRESETS, build_preset

SPEC = ConditionSpec((Factor("smiling", ("no", "yes")), Factor("species", ("rose", "daisy"))))


@pytest.mark.parametrize(
    ("name", "source", "factors", "family"),
    [
        ("celeba-smiling", "celeba", "smiling", "swift"),
        ("celeba-smiling-classic", "celeba", "smiling", "classic"),
        ("flowers102", "flowers102", "", "swift"),
        ("flowers102-classic", "flowers102", "", "classic"),
        ("flowers102-colour", "flowers102", "species,colour", "swift"),
        ("flowers102-colour-classic", "flowers102", "species,colour", "classic"),
        ("flowers102-pixel", "flowers102", "", "pixel"),
    ],
)
def test_data_sets_come_with_each_family(name: str, source: str, factors: str, family: str) -> None:
    config = build_preset(name)
    assert (config.data.source, config.data.factors) == (source, factors)
    plain = build_preset(family)
    assert config.model_copy(update={"data": plain.data}) == plain
    assert source in PRESETS[name].needs
    assert "--root" in PRESETS[name].needs


def test_without_a_source_the_presets_that_bring_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no SOURCE: .* celeba-smiling, celeba-smiling"):
        latentbloom.fit(preset="classic", out=tmp_path / "run")


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("Rose", {"species": "rose"}),
        ("Smiling", {"smiling": "yes"}),
        ("smiling=no,species=daisy", {"smiling": "no", "species": "daisy"}),
        (0, {"smiling": "no"}),
        (1, {"smiling": "yes"}),
        (3, {"species": "daisy"}),
    ],
)
def test_a_class_is_a_name_or_a_number(which: str | int, words: dict[str, str]) -> None:
    assert class_words(SPEC, which) == words


def test_what_is_no_class_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConditionError, match=r"'rosy' is no class .* Did you mean rose\?.*smil"):
        class_words(SPEC, "rosy")
    with pytest.raises(ConditionError, match=r"There is no class 4\. Numbers from 0 to 3 are: 0 "):
        class_words(SPEC, 4)
    twice = ConditionSpec((Factor("hat", ("red", "no")), Factor("coat", ("red", "blue"))))
    with pytest.raises(ConditionError, match="'red' could be hat=red or coat=red"):
        class_words(twice, "red")


def test_two_wishes_for_one_factor_are_refused() -> None:
    assert combine({"a": "1"}, {"b": "2"}) == {"a": "1", "b": "2"}
    with pytest.raises(ConditionError, match="'a' cannot be 1 and 2 at once"):
        combine({"a": "1"}, {"a": "2"})
