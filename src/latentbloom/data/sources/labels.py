"""Names of folders and cells of tables to factors; pictures to splits."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from natsort import natsort_keygen, ns

from latentbloom.conditions import Factor

NO_YES = ("no", "yes")
VAL_NAMES = ("val", "valid", "validation", "dev", "test")
"""Names of the split that is held out, the best first."""

_NO_WORDS = frozenset(("no", "false", "0"))
_YES_WORDS = frozenset(("yes", "true", "1"))
_natural = natsort_keygen(alg=ns.IGNORECASE)
_NEGATION = re.compile(r"^(not|no|non|without)[_\-\s]+(?P<rest>.+)$", re.IGNORECASE)


def natural_key(text: str) -> tuple[object, str]:
    """Sort key under which "class2" comes before "class10"; case is ignored.

    No two texts have the same key.
    """
    return _natural(text), text


def factor_name(text: str, default: str = "label") -> str:
    """A name that can be typed as NAME=VALUE: letters, digits and "_", in lower case."""
    return re.sub(r"\W+", "_", text.strip().casefold()).strip("_") or default


def two_valued(words: Iterable[str]) -> dict[str, str] | None:
    """Map yes/no, true/false, 0/1 to "yes" and "no"; None when other words are among them."""
    words = set(words)
    if not words or any(w.casefold() not in _NO_WORDS | _YES_WORDS for w in words):
        return None
    return {w: "yes" if w.casefold() in _YES_WORDS else "no" for w in words}


def factor_of_folders(names: Sequence[str], *, parent: str) -> tuple[Factor, dict[str, int]]:
    """The factor that label folders stand for.

    `not_x` and `x` (also no_, non_, without_) make a factor x with values no, yes; folders
    called yes/no, true/false or 0/1 make one that is called after the folder above them;
    anything else makes "label" with the folders' names in natural order.

    Arguments:
        names: Names of the label folders, at least two, all different.
        parent: Name of the folder above them.

    Returns:
        The factor, and each folder's index in it.
    """
    if len(names) == 2:
        for name, other in (tuple(names), tuple(reversed(names))):
            match = _NEGATION.match(name)
            if match and factor_name(match["rest"]) == factor_name(other):
                return Factor(factor_name(other), NO_YES), {name: 0, other: 1}
        words = two_valued(names)
        if words is not None and len(set(words.values())) == 2:
            indices = {name: NO_YES.index(word) for name, word in words.items()}
            return Factor(factor_name(parent), NO_YES), indices
    ordered = sorted(names, key=natural_key)
    return Factor("label", tuple(ordered)), {name: i for i, name in enumerate(ordered)}


def choose_val(
    names: Sequence[str], strata: Sequence[Hashable], *, share: float, seed: int = 0
) -> frozenset[str]:
    """Choose the pictures to hold out, the same share of each stratum.

    Within a stratum the names with the smallest hashes are taken: which they are depends on
    nothing but the names and the seed, so that an added picture moves at most one other.
    Strata too small to give one picture are pooled.

    Arguments:
        names: Names of all pictures.
        strata: For each picture what it is to be spread by, usually its labels.
        share: Share to hold out, in [0, 1).
        seed: Another seed chooses others.

    Returns:
        The names of the held-out pictures.
    """
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for name, stratum in zip(names, strata, strict=True):
        groups[stratum].append(name)
    pool: list[str] = []
    picked: set[str] = set()
    for members in groups.values():
        if round(share * len(members)) == 0:
            pool += members
        else:
            picked.update(_smallest(members, share, seed))
    picked.update(_smallest(pool, share, seed))
    return frozenset(picked)


def _smallest(names: list[str], share: float, seed: int) -> list[str]:
    # A name may be any bytes, which Python keeps as surrogates.
    hashes = {n: hashlib.sha256(f"{seed}:{n}".encode(errors="surrogatepass")) for n in names}
    ranked = sorted(names, key=lambda n: hashes[n].digest())
    return ranked[: round(share * len(names))]
