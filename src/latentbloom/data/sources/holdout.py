"""Combinations of labels held out of training, to test whether a model can compose them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from latentbloom.conditions import ConditionSpec
from latentbloom.data.listed.entries import Entries
from latentbloom.data.sources.base import Entry, Source
from latentbloom.data.sources.wrapped import WrappedSource
from latentbloom.errors import ConfigError
from latentbloom.words import plural

Combination = tuple[int, ...]


def held_out(
    text: str, entries: Sequence[Entry], spec: ConditionSpec, *, seed: int = 0
) -> frozenset[Combination]:
    """The combinations that "species=rose,colour=blue; species=tulip,colour=red", or "0.1", means.

    Each piece between semicolons holds all combinations that have its values. A number from 0 to
    1 holds that share of the combinations that occur, chosen at random so that each value
    is still shown in another one.

    Arguments:
        text: What was asked for; empty for nothing.
        entries: Pictures, whose combinations count.
        spec: The factors.
        seed: Decides which combinations a share consists of.

    Raises:
        ConfigError: There is one factor only, a share is not between 0 and 1, or a value would
            not be shown at all.
        ConditionError: A factor or a value is not known.
    """
    if not text.strip():
        return frozenset()
    if len(spec.factors) < 2:
        raise ConfigError(
            f"Nothing can be held out of {', '.join(spec.names)} alone: leaving a value out means "
            "not training it. Combinations take two factors or more."
        )
    nulls = tuple(factor.null_index for factor in spec.factors)
    labels = Entries.of(entries).labels
    known = labels[(labels != np.array(nulls)).all(axis=1)]
    there = [tuple(row) for row in np.unique(known, axis=0).tolist()]
    share = _share(text)
    if share is not None:
        return _chosen(there, share, seed)
    held: set[Combination] = set()
    for words in spec.parse_groups(text):
        wanted = {spec.names.index(n): spec.factor(n).index(v) for n, v in words.items()}
        held |= {c for c in there if all(c[column] == value for column, value in wanted.items())}
    _check_shown(held, there, spec)
    return frozenset(held)


@dataclass(frozen=True)
class HeldOutSource(WrappedSource):
    """A source that trains on some combinations of labels only. See `Source` for the attributes.

    Arguments:
        whole: The source with all of them.
        held: Combinations without training pictures; their held-out pictures stay.
    """

    held: frozenset[Combination]

    @property
    def spec(self) -> ConditionSpec:
        """The factors of the whole."""
        return self.whole.spec

    @cached_property
    def entries(self) -> Entries:
        """All val pictures, and the training pictures of the other combinations."""
        return self._whole.take(np.flatnonzero(~self._left))

    @cached_property
    def left_out(self) -> Entries:
        """The training pictures that are held out."""
        return self._whole.take(np.flatnonzero(self._left))

    @cached_property
    def _left(self) -> np.ndarray:
        """Which pictures of the whole are held out, bool (N,)."""
        labels = self._whole.labels
        found = np.zeros(len(labels), bool)
        for combination in self.held:
            found |= (labels == np.array(combination)).all(axis=1)
        return found & ~self._whole.held_out

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the whole, and what is held out."""
        factors = self.spec.factors
        words = "; ".join(
            " ".join(f.word(value) for f, value in zip(factors, combination, strict=True))
            for combination in sorted(self.held)
        )
        count = len(self.left_out)
        return (*self.whole.notes, f"Held out of training, {plural(count, 'picture')}: {words}.")


def hold_out(source: Source, text: str, *, seed: int = 0) -> Source:
    """A source without the training pictures of some combinations; arguments as `held_out`.

    Raises:
        ConfigError: See `held_out`.
        ConditionError: See `held_out`.
    """
    if not text.strip():
        return source
    train = Entries.of(source.entries).of_split("train")
    held = held_out(text, train, source.spec, seed=seed)
    return HeldOutSource(source, held) if held else source


def _share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    if not 0.0 <= share < 1.0:
        raise ConfigError(f"A share of {text} cannot be held out; a number from 0 to 1 is allowed.")
    return share


def _chosen(there: Sequence[Combination], share: float, seed: int) -> frozenset[Combination]:
    """A random share, but no value loses its last combination."""
    order = list(there)
    random.Random(seed).shuffle(order)  # noqa: S311 - a choice, no secret
    held: set[Combination] = set()
    for candidate in order:
        if len(held) >= round(share * len(there)):
            break
        left = [c for c in there if c not in held and c != candidate]
        if all(any(c[i] == value for c in left) for i, value in enumerate(candidate)):
            held.add(candidate)
    return frozenset(held)


def _check_shown(held: set[Combination], there: Sequence[Combination], spec: ConditionSpec) -> None:
    left = [c for c in there if c not in held]
    for column, factor in enumerate(spec.factors):
        for value in sorted({c[column] for c in held}):
            if not any(c[column] == value for c in left):
                raise ConfigError(
                    f"Holding that out leaves no training picture with "
                    f"{factor.name}={factor.word(value)}. Hold out fewer combinations."
                )
