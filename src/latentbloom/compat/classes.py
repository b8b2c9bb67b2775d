"""A class by its name or its number, as a condition."""

from __future__ import annotations

from collections.abc import Mapping

from latentbloom.conditions import ConditionSpec
from latentbloom.errors import ConditionError, check_count
from latentbloom.words import did_you_mean

YES = "yes"


def class_names(spec: ConditionSpec) -> list[dict[str, str]]:
    """Every value of every factor as a condition; a class's number is its place in this list."""
    return [{factor.name: value} for factor in spec.factors for value in factor.values]


def class_words(spec: ConditionSpec, which: str | int) -> dict[str, str]:
    """The condition that a class stands for.

    Arguments:
        spec: The factors.
        which: A value ("rose"), a factor that has a value "yes" ("Smiling"), NAME=VALUE, several
            NAME=VALUE with commas, or the number of a value over all factors, from 0.

    Raises:
        ConditionError: There is no such class, or more than one.
        ConfigError: It is neither text nor a whole number.
    """
    known = class_names(spec)
    if not isinstance(which, str):
        number = check_count("A class", which, least=None)
        if not 0 <= number < len(known):
            raise ConditionError(
                f"There is no class {number}. Numbers from 0 to {len(known) - 1} are: "
                + ", ".join(f"{k} {_said(words)}" for k, words in enumerate(known))
                + "."
            )
        return known[number]
    if "=" in which:
        return spec.parse(which)
    word = which.strip().casefold()
    found = [words for words in known if word in (v.casefold() for v in words.values())]
    found = found or [
        {factor.name: YES}
        for factor in spec.factors
        if factor.name.casefold() == word and YES in factor.values
    ]
    if len(found) == 1:
        return found[0]
    names = [name for words in known for name in words.values()]
    names += [factor.name for factor in spec.factors if YES in factor.values]
    if not found:
        hint = did_you_mean(which, names)
        raise ConditionError(
            f"'{which}' is no class of this model.{hint} Classes: {', '.join(map(_said, known))}."
        )
    raise ConditionError(
        f"'{which}' could be {' or '.join(map(_said, found))}: give it as NAME=VALUE."
    )


def combine(*conditions: Mapping[str, str]) -> dict[str, str]:
    """Merge conditions.

    Raises:
        ConditionError: Two of them want different values of one factor.
    """
    whole: dict[str, str] = {}
    for words in conditions:
        for name, value in words.items():
            if whole.setdefault(name, value) != value:
                raise ConditionError(f"'{name}' cannot be {whole[name]} and {value} at once.")
    return whole


def _said(words: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in words.items())
