"""Conditions as figures show them: which ones, and in which words."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from latentbloom.conditions import ConditionSpec

MOST_ROWS = 12
_YES_NO = {"yes", "no"}


def phrase(words: Mapping[str, str]) -> str:
    """Conditions in a few words: "smiling: yes, glasses: no", "red, daisy"."""
    said = [
        f"{name}: {value}" if value in _YES_NO else value
        for name, value in words.items()
        if value != "any"
    ]
    return ", ".join(said) or "any"


def full_conditions(spec: ConditionSpec, most: int) -> list[dict[str, str]]:
    """At most `most` conditions that name every factor and show as many values as they can.

    These are all combinations where there are few of them. Otherwise all factors step through
    their values together, and no list of combinations is made.
    """
    combinations = list(itertools.islice(spec.combinations(), most + 1))
    if len(combinations) <= most:
        return combinations or [{}]
    longest = max(len(f.values) for f in spec.factors)
    count = min(most, longest)
    steps = np.linspace(0, longest - 1, count).round().astype(int).tolist()
    return [{f.name: f.values[k % len(f.values)] for f in spec.factors} for k in steps]


def condition_rows(
    spec: ConditionSpec, *, most: int = MOST_ROWS
) -> tuple[list[dict[str, str]], str]:
    """The conditions to show, at most `most`, and a note when they are not all combinations.

    These are all combinations of values where there are few of them. Otherwise each value has
    its own row, with the other factors left open; where these are too many, an even choice of
    them is shown.
    """
    if not spec.factors:
        return [{}], ""
    combinations = list(itertools.islice(spec.combinations(), most + 1))
    if len(combinations) <= most:
        return combinations, ""
    single = [{f.name: value} for f in spec.factors for value in f.values]
    note = "" if len(spec.factors) == 1 else "Factors that a row does not name are left open."
    if len(single) > most:
        places = np.linspace(0, len(single) - 1, most).round().astype(int)
        note = f"{most} of {len(single)} conditions. {note}".strip()
        single = [single[p] for p in places]
    return single, note
