"""Which pictures are held out where nothing says so."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence


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
    groups: dict[Hashable, list[str]] = defaultdict(list)
    values: dict[str, tuple[Hashable, ...]] = {}
    left: Counter[Hashable] = Counter()
    for name, stratum in zip(names, strata, strict=True):
        groups[stratum].append(name)
        labels = stratum if isinstance(stratum, tuple) else (stratum,)
        values[name] = tuple(enumerate(labels))
        left.update(values[name])
    ranked = [sorted(members, key=lambda n: _rank(n, seed)) for members in groups.values()]
    picked: set[str] = set()

    def pick(members: Sequence[str]) -> None:
        wanted = round(share * len(members))
        for name in members:
            if wanted and all(left[value] > 1 for value in values[name]):
                picked.add(name)
                left.subtract(values[name])
                wanted -= 1

    pool: list[str] = []
    for members in sorted(ranked, key=lambda members: _rank(members[0], seed)):
        if round(share * len(members)) == 0:
            pool += members
        else:
            pick(members)
    pick(sorted(pool, key=lambda n: _rank(n, seed)))
    return frozenset(picked)


def say_share(held: int, count: int) -> str:
    """The rest of a sentence about what `choose_val` chose."""
    if not held:
        return "no picture is held out, because no label has one to spare"
    verb = "is" if held == 1 else "are"
    return f"{held:,} of {count:,} pictures {verb} held out, chosen by a hash of their names"


def _rank(name: str, seed: int) -> bytes:
    # A name may be any bytes, which Python keeps as surrogates.
    return hashlib.sha256(f"{seed}:{name}".encode(errors="surrogatepass")).digest()
