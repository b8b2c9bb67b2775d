"""Does a sample have the colour that was asked for? Found by the rule that labels pictures.

`evaluate` uses a trained classifier. This module reads the pixels, with the function that gave the
training pictures their labels, and may find a colour that the model was never asked for.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from latentbloom.conditions import ConditionSpec
from latentbloom.data.colour import COLOURS, colour_of
from latentbloom.data.sources.options import COLOUR
from latentbloom.errors import ConditionError
from latentbloom.evaluate.measures.intervals import Interval, share_interval
from latentbloom.evaluate.workload import Generator


@dataclass(frozen=True)
class ColourAgreement:
    """The colour asked for against the colour found in the samples.

    Arguments:
        pairs: How often (asked, found) occurred.
    """

    pairs: dict[tuple[str, str], int]

    @property
    def asked(self) -> tuple[str, ...]:
        """The colours asked for, in the order of `COLOURS`, other words last."""
        words = dict.fromkeys(asked for asked, _ in self.pairs)
        return tuple(sorted(words, key=_place))

    @property
    def found(self) -> tuple[str, ...]:
        """Every colour asked for or found, in the same order."""
        words = dict.fromkeys(word for pair in self.pairs for word in pair)
        return tuple(sorted(words, key=_place))

    def agreement(self, asked: str | None = None) -> Interval:
        """Share of samples that have the colour asked for, with Wilson's interval.

        Arguments:
            asked: Count only samples that were to have this colour; None counts all.
        """
        rows = [(a == f, n) for (a, f), n in self.pairs.items() if asked in (None, a)]
        return share_interval(np.repeat([same for same, _ in rows], [n for _, n in rows]))


def agreement_of(asked: Sequence[str], pictures: np.ndarray) -> ColourAgreement:
    """Find the colours of pictures.

    Arguments:
        asked: The colour that each was to have.
        pictures: uint8 (n, H, W, C), C in {1, 3}.
    """
    found = [colour_of(picture) for picture in pictures]
    return ColourAgreement(dict(Counter(zip(asked, found, strict=True))))


def colour_agreement(
    model: Generator,
    *,
    n: int = 360,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> ColourAgreement:
    """Sample every colour equally often and find the colours of the samples.

    Arguments:
        model: Has the condition "colour".
        n: How many samples; at least one a colour.
        seed: Of the samples.
        on_progress: Called from time to time with the samples done and their total.

    Raises:
        ConditionError: The model has no such condition.
    """
    asked = conditions_of_colour(model.spec, n)
    samples = model.sample(cond=asked, n=len(asked), seed=seed, on_progress=on_progress)
    return agreement_of(
        [words[COLOUR] for words in asked], samples.pixels.permute(0, 2, 3, 1).numpy()
    )


def conditions_of_colour(spec: ConditionSpec, n: int) -> list[dict[str, str]]:
    """What to ask for: one dict of words a sample, the colours in turn.

    Every combination equally often where there are at most `n`; else the colours alone.

    Raises:
        ConditionError: There is no condition "colour".
    """
    colours = [{COLOUR: value} for value in spec.factor(COLOUR).values]
    combinations = sorted(
        spec.combinations() if _count(spec) <= n else colours,
        key=lambda words: [words[name] for name in spec.names if name in words and name != COLOUR],
    )
    if not combinations:
        raise ConditionError(f"The condition {COLOUR} has no values.")
    wanted = max(n, len(colours))
    return [combinations[k % len(combinations)] for k in range(wanted)]


def _count(spec: ConditionSpec) -> int:
    return math.prod(len(factor.values) for factor in spec.factors)


def _place(word: str) -> tuple[int, str]:
    return (COLOURS.index(word) if word in COLOURS else len(COLOURS), word)
