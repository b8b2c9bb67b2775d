"""Numbers as a factor: a few bins with about as many pictures each."""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from latentbloom.data.sources.labels.names import factor_name
from latentbloom.errors import SourceError

MOST_BINS = 100
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_HELP = "Write NAME=COUNT, as in --bins age=4, or the edges, as in --bins age=30/45/60."

Edges = tuple[float, ...]
"""Where a bin ends and the next one begins, ascending; the next one holds the edge itself."""


def parse_bins(text: str) -> dict[str, int | Edges]:
    """Read "age=4,height=150/170" into a number of bins, or their edges, by name of the factor.

    Raises:
        SourceError: It cannot be read.
    """
    found: dict[str, int | Edges] = {}
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, said = (part.strip() for part in piece.rpartition("="))
        numbers = [number(part) for part in said.removesuffix("/").split("/")]
        if not equals or not name or None in numbers:
            raise SourceError(f"--bins: '{piece}' cannot be read. {_HELP}")
        edges = tuple(one for one in numbers if one is not None)
        if "/" in said or not said.isdecimal():
            if any(low >= high for low, high in itertools.pairwise(edges)):
                raise SourceError(f"--bins: the edges of '{name}' do not ascend: {said}. {_HELP}")
            found[factor_name(name)] = edges
        elif not 2 <= int(said) <= MOST_BINS:
            raise SourceError(f"--bins: '{piece}' is not from 2 to {MOST_BINS} bins. {_HELP}")
        else:
            found[factor_name(name)] = int(said)
    return found


def write_bins(bins: Mapping[str, Edges]) -> str:
    """The inverse of `parse_bins`, for edges."""
    return ",".join(
        f"{name}={'/'.join(map(_word, edges))}{'/' if len(edges) == 1 else ''}"
        for name, edges in bins.items()
    )


def number(text: str) -> float | None:
    """The finite number that a cell holds, also with a decimal comma; None for anything else."""
    text = text.strip()
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    found = float(text)
    return found if math.isfinite(found) else None


def find_edges(values: Sequence[float], count: int) -> Edges:
    """Edges between `count` bins that hold about as many of the values each.

    Whole numbers get whole edges, others three significant digits, or more where three would join
    two edges. There are fewer bins where many values are equal.

    Arguments:
        values: Finite numbers.
        count: Bins, at least 2.
    """
    ordered = sorted(values)
    whole = all(value == int(value) for value in ordered)
    edges = [ordered[round(len(ordered) * k / count)] for k in range(1, count)]
    higher = [value for value in ordered if value > ordered[0]]
    edges = [edge for edge in dict.fromkeys(edges) if edge > ordered[0]] or higher[:1]
    if whole:
        return tuple(edges)
    for digits in range(3, 17):
        rounded = [float(f"{edge:.{digits}g}") for edge in edges]
        if len(set(rounded)) == len(edges) and rounded[:1] > ordered[:1]:
            return tuple(rounded)
    return tuple(edges)


def bin_names(edges: Edges) -> tuple[str, ...]:
    """A word for each bin, which depends on the edges alone.

    (30, 45) gives "under 30", "30-44", "45 and over"; (0.5, 1.25) gives "under 0.5", "0.5-1.25",
    "1.25 and over".
    """
    whole = all(edge == int(edge) for edge in edges)
    names = [f"under {_word(edges[0])}"]
    for low, high in itertools.pairwise(edges):
        last = high - 1 if whole else high
        dash = " to " if low < 0 else "-"
        names.append(_word(low) if last == low else f"{_word(low)}{dash}{_word(last)}")
    return (*names, f"{_word(edges[-1])} and over")


def bin_of(value: float, edges: Edges) -> int:
    """Which bin holds a number."""
    return bisect_right(edges, value)


def _word(edge: float) -> str:
    return str(int(edge)) if edge == int(edge) and abs(edge) < 1e15 else repr(edge)
