"""Reading the options of a source, and which source takes which option."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

from latentbloom.config import SourceOptions
from latentbloom.data.sources.labels.names import factor_name
from latentbloom.errors import SourceError
from latentbloom.words import did_you_mean, listed

Official = Literal["train", "val", "test"]

COLOUR = "colour"
"""The factor that is found in the pictures if the labels do not have it."""

OFFICIAL: tuple[Official, ...] = get_args(Official)

_OTHER_WORDS: dict[str, Official] = {"training": "train", "valid": "val", "validation": "val"}


def check_taken(
    options: SourceOptions,
    where: str,
    takes: Iterable[str],
    takers: Mapping[str, Sequence[str]],
) -> None:
    """Refuse an option that means nothing to a source.

    Arguments:
        options: What was asked for.
        where: What the user called the source.
        takes: Names of the options that it takes.
        takers: For each option of particular sources, the names of those sources.

    Raises:
        SourceError: Another option differs from its default.
    """
    for name in sorted(takers.keys() - set(takes)):
        value = getattr(options, name)
        if value != SourceOptions.model_fields[name].default:
            raise SourceError(
                f"'{where}' takes no --{name.replace('_', '-')} ('{value}'). It is for "
                f"{listed(takers[name])}; leave it out."
            )


def parse_factors(text: str | Sequence[str]) -> tuple[str, ...]:
    """From "Smiling, male" or ["Smiling", "male"] to ("smiling", "male"), each once."""
    return tuple(dict.fromkeys(factor_name(word) for word in _words(text)))


def parse_splits(text: str | Sequence[str]) -> tuple[Official, ...]:
    """From "train,valid" to ("train", "val"), each once.

    Raises:
        SourceError: A word is no split.
    """
    found: dict[Official, None] = {}
    for word in _words(text):
        known = {name: name for name in OFFICIAL} | _OTHER_WORDS
        if word.casefold() not in known:
            raise SourceError(
                f"'{word}' is no split.{did_you_mean(word, OFFICIAL)} Known: "
                f"{', '.join(OFFICIAL)}, as in --splits train,val."
            )
        found[known[word.casefold()]] = None
    return tuple(found)


def _words(text: str | Sequence[str]) -> list[str]:
    pieces = text.split(",") if isinstance(text, str) else text
    return [piece.strip() for piece in pieces if piece.strip()]
