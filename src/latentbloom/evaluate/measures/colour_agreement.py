"""Does a model paint the colour that it is asked for? Judged as the training labels were found.

The judge of `evaluate` is a classifier that was taught the labels; this here looks at the pixels
with the very function that named the training pictures, and can also answer with a colour that
the model was never asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from latentbloom.conditions import ConditionSpec
from latentbloom.data.colour import COLOURS, colour_of
from latentbloom.data.sources.options import COLOUR
from latentbloom.errors import ConditionError
from latentbloom.evaluate.measures.distances import Interval, share_interval
from latentbloom.evaluate.requests import Generator


@dataclass(frozen=True)
class ColourAgreement:
    """Colour asked against colour found in the samples.

    Arguments:
        pairs: How often (asked, found) occurred.
    """

    pairs: dict[tuple[str, str], int]

    @property
    def asked(self) -> tuple[str, ...]:
        """The colours asked for, in the order of `COLOURS` as far as they are of them."""
        words = dict.fromkeys(asked for asked, _ in self.pairs)
        return tuple(sorted(words, key=_place))

    @property
    def found(self) -> tuple[str, ...]:
        """Every colour asked for or found, in the same order."""
        words = dict.fromkeys(word for pair in self.pairs for word in pair)
        return tuple(sorted(words, key=_place))

    def agreement(self, asked: str | None = None) -> Interval:
        """Share of samples that show the colour asked for, with Wilson's interval.

        Arguments:
            asked: Of the samples asked for this colour; None for all samples.
        """
        rows = [(a == f, n) for (a, f), n in self.pairs.items() if asked in (None, a)]
        return share_interval(np.repeat([same for same, _ in rows], [n for _, n in rows]))


def agreement_of(asked: Sequence[str], pictures: np.ndarray) -> ColourAgreement:
    """Look at pictures that exist already.

    Arguments:
        asked: The colour that each was to show.
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
    """Sample every colour equally often, in all combinations where they are few, and look.

    Arguments:
        model: Has the condition "colour".
        n: How many samples; at least one a colour.
        seed: Of the samples.
        on_progress: Called now and then with how many of how many are sampled.

    Raises:
        ConditionError: The model has no such condition.
    """
    asked = conditions_of_colour(model.spec, n)
    drawn = model.sample(cond=asked, n=len(asked), seed=seed, on_progress=on_progress)
    return agreement_of(
        [words[COLOUR] for words in asked], drawn.pixels.permute(0, 2, 3, 1).numpy()
    )


def conditions_of_colour(spec: ConditionSpec, n: int) -> list[dict[str, str]]:
    """What to ask for, the colours taking turns.

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
    return int(np.prod([len(factor.values) for factor in spec.factors]))


def _place(word: str) -> tuple[int, str]:
    return (COLOURS.index(word) if word in COLOURS else len(COLOURS), word)
