"""Which pictures are held out where nothing says so."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np


def choose_val(
    names: Sequence[str], strata: Sequence[Hashable], *, share: float, seed: int = 0
) -> frozenset[str]:
    """Choose the pictures to hold out, the same share of each stratum.

    Within a stratum the names with the smallest hashes are taken: which they are depends on
    nothing but the names and the seed, so that an added picture moves at most one other.
    Strata too small to give one picture are pooled. The last picture of a value is never held
    out: the model would not know the value at all.

    Arguments:
        names: Names of all pictures.
        strata: For each picture what it is to be spread by: its label, or a tuple of its labels,
            each of which is a value of its own.
        share: Share to hold out, in [0, 1).
        seed: Another seed chooses others.

    Returns:
        The names of the held-out pictures.
    """
    return frozenset(names[row] for row in choose_rows(names, strata, share=share, seed=seed))


def choose_rows(
    names: Sequence[str], strata: Sequence[Hashable], *, share: float, seed: int = 0
) -> list[int]:
    """The places of the pictures that `choose_val` chooses; arguments as there."""
    groups: dict[Hashable, array[int]] = {}
    for row, stratum in enumerate(strata):
        groups.setdefault(stratum, array("q")).append(row)
    left: Counter[Hashable] = Counter()
    for stratum, members in groups.items():
        for value in _values(stratum):
            left[value] += len(members)
    first_bytes = np.fromiter(
        (int.from_bytes(_rank(name, seed)[:8], "big") for name in names), np.uint64, len(names)
    )

    def ranked(members: Iterable[int]) -> list[int]:
        rows = np.fromiter(members, np.int64)
        order = rows[np.argsort(first_bytes[rows], kind="stable")]
        ranks = first_bytes[order]
        if (ranks[1:] == ranks[:-1]).any():  # next to never, but for a name that occurs twice
            return sorted(order.tolist(), key=lambda row: _rank(names[row], seed))
        return order.tolist()

    picked: list[int] = []

    def pick(members: Iterable[int], wanted: int) -> None:
        for row in members:
            if not wanted:
                return
            values = _values(strata[row])
            if all(left[value] > 1 for value in values):
                picked.append(row)
                left.subtract(values)
                wanted -= 1

    sorted_groups = [ranked(members) for members in groups.values()]
    pool: list[int] = []
    for members in sorted(sorted_groups, key=lambda rows: _rank(names[rows[0]], seed)):
        if round(share * len(members)) == 0:
            pool += members
        else:
            pick(members, round(share * len(members)))
    pick(ranked(pool), round(share * len(pool)))
    return picked


def _values(stratum: Hashable) -> tuple[Hashable, ...]:
    """The values that count one by one: a label, or each of a tuple of labels, by its place."""
    return tuple(enumerate(stratum if isinstance(stratum, tuple) else (stratum,)))


def say_share(held: int, count: int) -> str:
    """The rest of a sentence about what `choose_val` chose."""
    if not held:
        return "no picture is held out, because no label has one to spare"
    verb = "is" if held == 1 else "are"
    return f"{held:,} of {count:,} pictures {verb} held out, chosen by a hash of their names"


def _rank(name: str, seed: int) -> bytes:
    # A name may be any bytes, which Python keeps as surrogates.
    return hashlib.sha256(f"{seed}:{name}".encode(errors="surrogatepass")).digest()
