"""What can be said about a source besides its name, and which source takes what."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from latentbloom.data.sources.labels import factor_name
from latentbloom.errors import SourceError

Background = Literal["keep", "white", "grey", "black"]
Official = Literal["train", "val", "test"]

COLOUR = "colour"
"""The factor that is found in the pictures where the labels do not tell it."""

OFFICIAL: tuple[Official, ...] = get_args(Official)
CROPS = (108, 148, 178)
"""Sides of CelebA's centre crop, in pixels of the 178 x 218 file."""

_OTHER_WORDS: dict[str, Official] = {"training": "train", "valid": "val", "validation": "val"}


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """How a source is opened.

    Arguments:
        seed: Of the choice of kept-aside pictures, and of drawn pictures.
        val_share: Share of pictures to keep aside where the source does not say, in [0, 0.9].
        root: Folder that holds published data sets, or gets them.
        factors: Names of the factors to use, in this order; empty for all of them, or for the
            source's usual one.
        splits: Published splits to train on; empty for the usual ones.
        crop: Side of CelebA's centre crop, one of `CROPS`.
        background: What stands behind a flower: "keep" the photograph, or a flat shade.

    Raises:
        SourceError: A value is not allowed; the message says which are.
    """

    seed: int = 0
    val_share: float = 0.1
    root: str = "data"
    factors: tuple[str, ...] = ()
    splits: tuple[Official, ...] = ()
    crop: int = 148
    background: Background = "keep"

    def __post_init__(self) -> None:
        if not 0.0 <= self.val_share <= 0.9:
            raise SourceError(f"val_share is {self.val_share}; a share from 0 to 0.9 is allowed.")
        if self.crop not in CROPS:
            allowed = ", ".join(map(str, CROPS))
            raise SourceError(f"crop is {self.crop}. Allowed: {allowed} (pixels).")
        if self.background not in get_args(Background):
            allowed = ", ".join(get_args(Background))
            raise SourceError(f"background is '{self.background}'. Allowed: {allowed}.")

    def without_colour(self) -> SourceOptions:
        """The same for a source that has no labels of colour, because it is found afterwards."""
        return replace(self, factors=tuple(name for name in self.factors if name != COLOUR))

    def check_taken(
        self, where: str, takes: Iterable[str], takers: Mapping[str, Sequence[str]]
    ) -> None:
        """Refuse an option that means nothing to this source.

        Arguments:
            where: What the user called the source.
            takes: Names of the options that it takes.
            takers: For each option of some sources only, the names of those sources.

        Raises:
            SourceError: Another option differs from its default.
        """
        defaults = {field.name: field.default for field in fields(self)}
        for name in takers.keys() - set(takes):
            value = getattr(self, name)
            if value != defaults[name]:
                said = ",".join(value) if isinstance(value, tuple) else value
                raise SourceError(
                    f"'{where}' takes no --{name} ('{said}'). It is for "
                    f"{' and '.join(takers[name])}; leave it away."
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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question such as "Did you mean smiling?", after a space; "" when nothing is near."""
    close = difflib.get_close_matches(word.casefold(), list(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def _words(text: str | Sequence[str]) -> list[str]:
    pieces = text.split(",") if isinstance(text, str) else text
    return [piece.strip() for piece in pieces if piece.strip()]
