"""Classes by name or number, and several conditions merged."""

from typing import Any

import numpy as np
import pytest

from latentbloom.compat.classes import class_words, combine
from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.errors import ConditionError, ConfigError

SPEC = ConditionSpec((Factor("smiling", ("no", "yes")), Factor("species", ("rose", "daisy"))))


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


def test_a_number_of_numpy_is_a_number_and_others_are_not() -> None:
    one: Any = np.int64(1)
    assert class_words(SPEC, one) == class_words(SPEC, 1)
    others: list[Any] = [1.0, True, None, ("rose",)]
    for which in others:
        with pytest.raises(ConfigError, match=r"A class is .* It must be a whole number"):
            class_words(SPEC, which)
