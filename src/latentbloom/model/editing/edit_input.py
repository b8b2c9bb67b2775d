"""What an edit is asked for: pictures of the model's shape, and words that it knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from latentbloom.conditions import ANY
from latentbloom.data.pixels import to_float
from latentbloom.errors import ConditionError, ConfigError

if TYPE_CHECKING:
    from latentbloom.conditions import ConditionSpec

Words: TypeAlias = "Mapping[str, str] | Sequence[Mapping[str, str]]"
"""Words by factor for all pictures, or one such dict a picture."""


def check_pictures(images: Tensor, *, channels: int, size: int) -> Tensor:
    """Pictures (B, C, H, W), uint8 or float, as float in [-1, 1].

    Raises:
        ConfigError: They are of another shape, or there are none.
    """
    expected = (channels, size, size)
    if images.ndim != 4 or tuple(images.shape[1:]) != expected or not len(images):
        raise ConfigError(
            f"The pictures have shape {tuple(images.shape)}; this model takes (B, "
            f"{', '.join(map(str, expected))}). `fit_picture` brings any picture to that shape."
        )
    return to_float(images) if images.dtype == torch.uint8 else images.float()


def rows_of_words(spec: ConditionSpec, name: str, words: Words, count: int) -> list[dict[str, str]]:
    """One dict a picture.

    Arguments:
        spec: The factors.
        name: What the caller calls the words.
        words: One dict for all, or one each.
        count: How many pictures there are.

    Raises:
        ConditionError: A factor or a value is unknown, or there is not one dict a picture.
    """
    given = [words] * count if isinstance(words, Mapping) else words
    rows = [dict(row) for row in given]
    if len(rows) != count:
        raise ConditionError(
            f"`{name}` has {len(rows)} dicts for {count} pictures; give one each, or one for all."
        )
    for row in rows:
        spec.encode(row, 1)
    return rows


def require_values(spec: ConditionSpec, rows: Sequence[Mapping[str, str]]) -> None:
    """Refuse an edit to nothing.

    Raises:
        ConditionError: A row is empty, or asks for "any".
    """
    if any(not words or ANY in words.values() for words in rows):
        known = "; ".join(f"{f.name}: {', '.join(f.values)}" for f in spec.factors)
        raise ConditionError(
            "Say what to change, and to which value, as in smiling=yes. This model knows: "
            f"{known or 'no conditions'}."
        )
