"""What the words of labels mean: names of folders and cells of tables as values of factors."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from latentbloom.conditions import ANY, Factor
from latentbloom.data.sources.base import ReadAs
from latentbloom.data.sources.labels.names import NO_YES, composed, factor_name, natural_key
from latentbloom.words import clipped, listed, plural, shortened, spelling_key, visible

_NO = frozenset(("no", "n", "false", "f", "0", "-1"))
_YES = frozenset(("yes", "y", "true", "t", "1"))
_NONE = "none"
_MISSING = frozenset(
    (
        *("", ANY, _NONE, "nan", "-nan", "na", "n/a", "n.a.", "n.a", "<na>", "#n/a", "#na"),
        *("#n/a n/a", "nat", "null", "(null)", "[null]", "nil", "undefined", "\\n"),
        *("?", "??", "-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", "."),
    )
)
"""What programs and people write where a value is not known, in lower case."""

_DATE = re.compile(
    r"(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3(\d{4}|\d{2}))"  # 2026-03-01, 1.3.26
    r"([T ]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp][Mm])?(Z|[+-]\d{2}:?\d{2})?)?"
)

_NEGATION = re.compile(r"^(not|no|non|without)[_\-\s]+(?P<rest>.+)$", re.IGNORECASE)


def two_valued(words: Iterable[str]) -> dict[str, str] | None:
    """Map yes/no, y/n, true/false, t/f, 1/0 and 1/-1 to "yes" and "no".

    None when other words are among them, when all of them mean the same, and for -1, 0 and 1
    together, which are three values.
    """
    keys = {word: spelling_key(word) for word in words}
    known = set(keys.values())
    if not known or not known <= _NO | _YES or known <= _NO or known <= _YES:
        return None
    if {"-1", "0"} <= known:
        return None
    return {word: "yes" if key in _YES else "no" for word, key in keys.items()}


def is_missing(word: str) -> bool:
    """Whether a word says that the value is not known, as nan, N/A, None, null, ? and - do."""
    return spelling_key(word) in _MISSING


def is_date(word: str) -> bool:
    """Whether a word is a date, with or without a time of day, as spreadsheets write it."""
    return _DATE.fullmatch(word.strip()) is not None


def read_values(counts: Mapping[str, int], *, as_written: bool = False) -> dict[str, str]:
    """What each word of one factor means.

    Words for "not known" are "any"; two-valued words are "no" and "yes"; spellings that differ in
    capitals, spaces, the form of accented letters, or as 1 and 1.0 do, are one value, spelled as
    most pictures have it. Where `None` is one of only two words, it is a value.

    Arguments:
        counts: How many pictures have each word; with 0, its spelling is the last to be taken.
        as_written: Leave every word as it is; only nothing at all and "any" are not known.

    Returns:
        For each word its value, or "any".
    """
    if as_written:
        keys = {word: composed(word) for word in counts}
        return {w: ANY if key.casefold() in ("", ANY) else key for w, key in keys.items()}
    spellings: dict[str, list[str]] = defaultdict(list)
    for word in counts:
        spellings[spelling_key(word)].append(word)
    missing = spellings.keys() & _MISSING
    if len(spellings) - len(missing) == 1 and _NONE in missing:
        missing -= {_NONE}
    known = [key for key in spellings if key not in missing]
    means = two_valued(known) or {key: _spelling(key, spellings[key], counts) for key in known}
    return {
        word: ANY if key in missing else means[key]
        for key, words in spellings.items()
        for word in words
    }


def _spelling(key: str, words: list[str], counts: Mapping[str, int]) -> str:
    """How a value is written: as most pictures have it; a number in its shortest form."""
    if re.fullmatch(r"-?\d+(\.\d+)?", key):
        return key
    return composed(max(words, key=lambda word: (counts[word], composed(word))))


def factor_of(
    name: str, counts: Mapping[str, int], *, as_written: bool = False
) -> tuple[Factor, dict[str, int]]:
    """The factor that the words of a column or a level of folders stand for.

    Arguments:
        name: Of the factor.
        counts: As in `read_values`.
        as_written: As in `read_values`.

    Returns:
        The factor, and each word's index in it.
    """
    means = read_values(counts, as_written=as_written)
    values = set(means.values()) - {ANY}
    ordered = NO_YES if values <= set(NO_YES) else tuple(sorted(values, key=natural_key))
    factor = Factor(name, ordered)
    return factor, {word: factor.index(value) for word, value in means.items()}


def factor_of_folders(
    names: Iterable[str] | Mapping[str, int], *, parent: str, as_written: bool = False
) -> tuple[Factor, dict[str, int]]:
    """The factor that label folders stand for.

    `not_x` and `x` (also no_, non_, without_) make a factor x with values no, yes; folders
    called yes/no, true/false, 0/1 and the like make one that is called after the folder above
    them; anything else makes "label" with the folders' names in natural order.

    Arguments:
        names: Names of the label folders, all different; with the number of their pictures, if
            known.
        parent: Name of the folder above them.
        as_written: As in `read_values`; `not_x` and `x` are then two values of "label".

    Returns:
        The factor, and each folder's index in it.
    """
    counts = names if isinstance(names, Mapping) else dict.fromkeys(names, 1)
    if as_written:
        return factor_of("label", counts, as_written=True)
    means = read_values(counts)
    values = set(means.values()) - {ANY}
    if values == set(NO_YES):
        return factor_of(factor_name(parent), counts)
    opposite = _opposites(values)
    if opposite is None:
        return factor_of("label", counts)
    name, words = opposite
    factor = Factor(name, NO_YES)
    return factor, {word: factor.index(words.get(value, ANY)) for word, value in means.items()}


def _opposites(values: set[str]) -> tuple[str, dict[str, str]] | None:
    """For x and not_x the name x, and which of them is no and which yes."""
    if len(values) != 2:
        return None
    for name, other in (tuple(values), tuple(values)[::-1]):
        match = _NEGATION.match(name)
        if match and factor_name(match["rest"]) == factor_name(other):
            return factor_name(other), {name: "no", other: "yes"}
    return None


def readings(
    factor: Factor, indices: Mapping[str, int], counts: Mapping[str, int]
) -> tuple[ReadAs, ...]:
    """What the words of a factor were read as, where that is not the word itself."""
    words: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for word, index in indices.items():
        if word and word != ANY and visible(word) != factor.word(index):
            words[index].append((word, counts[word]))
    return tuple(
        ReadAs(factor.name, factor.word(index), tuple(sorted(words[index], key=_by_name)))
        for index in sorted(words)
    )


def say_readings(read: Iterable[ReadAs]) -> tuple[str, ...]:
    """A sentence about what words were read as, factors with the same words together."""
    by_factor: dict[str, list[str]] = defaultdict(list)
    changed = False
    for one in read:
        words = [_described(word, one.value) for word, _ in one.words]
        changed |= any(composed(word) != one.value for word, _ in one.words)
        said = shortened(words) if len(words) > 3 else listed(words)
        if one.value != ANY:
            by_factor[one.factor].append(f"{said} as {clipped(one.value)}")
        else:
            count = plural(sum(number for _, number in one.words), "picture")
            by_factor[one.factor].append(f"{said} as not known ({count})")
    alike: dict[str, list[str]] = defaultdict(list)
    for factor, parts in by_factor.items():
        alike[shortened(parts)].append(factor)
    said = [f"{shortened(factors)}: {words}" for words, factors in alike.items()]
    if not said:
        return ()
    hint = " --values-as-written keeps the words." if changed else ""
    more = f"; and {len(said) - 3:,} more in audit.json" if len(said) > 3 else ""
    return (f"Labels read as other words: {'; '.join(said[:3])}{more}.{hint}",)


def _described(word: str, value: str) -> str:
    """A word so that a difference that cannot be seen is said."""
    if word != word.strip():
        return f"'{clipped(word)}'"
    apart = composed(word) == value != word
    return f"{clipped(word)} (accents apart)" if apart else clipped(word)


def _by_name(pair: tuple[str, int]) -> tuple[object, str]:
    return natural_key(pair[0])
