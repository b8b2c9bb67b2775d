"""What an audit's findings mean: is there enough data, and what needs fixing?"""

from __future__ import annotations

from collections.abc import Sequence

from latentbloom.conditions import ANY
from latentbloom.data.audit.findings import (
    DARKEST,
    HUGE,
    Audit,
    CombinationCount,
    Duplicates,
    ValueCount,
    Verdict,
)
from latentbloom.words import clipped, plural, shortened

# The fewest training pictures of the rarest value, and in total, for each verdict. They come from
# short runs on parts of CelebA, and longer ones on flowers of 5 kinds and of 102 species: see "How
# many pictures are enough" in docs/explanation/experiments.md. Between them nothing was run.
_LEVELS: tuple[tuple[Verdict, int, int], ...] = (
    ("good", 200, 4000),
    ("fair", 25, 1000),
    ("few", 10, 100),
    ("far too few", 0, 0),
)
_MEANING = {
    "good": "in twenty minutes the time limits a model more than their number",
    "fair": "labels are learned, fine differences between many labels in part; more pictures would "
    "bring samples nearer to real ones",
    "few": "labels are learned, but expect near copies of the training pictures; mirroring (on by "
    "default) helps, more pictures help most",
    "far too few": "expect copies of the training pictures; collect 25 a label, and 1,000 in all",
}
_IMBALANCED = 3.0
_THIN = 10
_MOST_NAMED = 4


def judge(audit: Audit) -> tuple[Verdict, tuple[str, ...]]:
    """Whether the data is likely to be enough, and what to fix, the most important first."""
    known = [count for count in audit.counts if count.value != ANY]
    rarest = min(known, key=lambda count: count.train)
    verdict = next(
        word for word, each, total in _LEVELS if rarest.train >= each and audit.train >= total
    )
    advice = [
        f"{plural(audit.train, 'picture')} to train on, the rarest value "
        f"({rarest.factor}={clipped(rarest.value)}) has {rarest.train:,}: {verdict}, "
        f"{_MEANING[verdict]}."
    ]
    advice += _about_duplicates(audit)
    if audit.broken:
        advice.append(
            f"{plural(len(audit.broken), 'file')} cannot be read and "
            f"{'is' if len(audit.broken) == 1 else 'are'} set aside: "
            f"{shortened([aside.name for aside in audit.broken])}."
        )
    if audit.huge:
        one = len(audit.huge) == 1
        advice.append(
            f"{plural(len(audit.huge), 'picture')} {'has' if one else 'have'} more than "
            f"{HUGE // 1_000_000} megapixels ({shortened(audit.huge)}): reading "
            f"{'it' if one else 'each'} takes much memory and time. Make "
            f"{'it' if one else 'them'} smaller."
        )
    if audit.dark:
        one = len(audit.dark) == 1
        advice.append(
            f"{plural(len(audit.dark), 'picture')} {'is' if one else 'are'} all but black "
            f"({shortened(audit.dark)}): no value is above {DARKEST}, where 255 is white. If "
            f"{'it is a mask or uses' if one else 'they are masks or use'} a smaller range, "
            "multiply the values."
        )
    advice += _about_balance(audit, known)
    advice += _about_pixels(audit)
    return verdict, tuple(advice)


def chain(group: Duplicates) -> str:
    """The pictures of a group of duplicates: "a.png = b.png = c.png and 5 more"."""
    more = len(group.names) - 3
    return " = ".join(group.names[:3]) + (f" and {more:,} more" if more > 0 else "")


def _about_duplicates(audit: Audit) -> list[str]:
    advice = []
    contradictions, leaks = audit.contradictions, audit.leaks
    if contradictions:
        count = sum(len(group.names) - 1 for group in contradictions)
        advice.append(
            f"{plural(count, 'picture')} {'has' if count == 1 else 'have'} a duplicate under "
            f"another label: {shortened([chain(g) for g in contradictions], 2)}. Decide which "
            "label is right."
        )
    if leaks:
        count = sum(group.held_out for group in leaks)
        advice.append(
            f"{plural(count, 'picture')} of val {'is' if count == 1 else 'are'} in train, too "
            f"({shortened([chain(g) for g in leaks], 2)}): scores on val flatter the model. "
            "Remove them from one of the two."
        )
    copies = {
        word: sum(len(g.names) - 1 for g in audit.duplicates if g.exact is exact)
        for exact, word in ((True, "exact duplicate"), (False, "near duplicate"))
    }
    if any(copies.values()):
        counted = " and ".join(plural(count, word) for word, count in copies.items() if count)
        advice.append(
            f"{counted}, named in audit.json: the model memorises pictures that it sees more often."
        )
    return advice


def _about_balance(audit: Audit, known: Sequence[ValueCount]) -> list[str]:
    advice = _about_imbalance(audit, known)
    absent = [f"{c.factor}={clipped(c.value)}" for c in known if c.train == 0]
    if absent:
        advice.append(
            f"No training pictures for {shortened(absent)}: samples of it will be guesses."
        )
    if audit.val == 0:
        advice.append(
            "No pictures are held out, so that scores cannot tell learning from memorising."
        )
    else:
        unseen = [f"{c.factor}={clipped(c.value)}" for c in known if c.val == 0 and c.train]
        if unseen:
            advice.append(f"val has no picture of {shortened(unseen)}, so that it gets no score.")
    missing = [c for c in audit.combinations if c.train == 0]
    if missing:
        advice.append(
            f"{len(missing):,} of {len(audit.combinations):,} combinations have no picture to "
            f"train on ({shortened([_together(c) for c in missing])}): samples of "
            "them are composed from their values."
        )
    thin = [c for c in audit.combinations if 0 < c.train < _THIN]
    if thin:
        ordered = sorted(thin, key=lambda c: c.train)
        advice.append(
            f"{len(thin):,} of {len(audit.combinations):,} combinations have fewer than {_THIN} "
            f"pictures to train on ({shortened([_together(c) for c in ordered])}): expect "
            "near copies of these pictures when they are asked for."
        )
    return advice


def _about_imbalance(audit: Audit, known: Sequence[ValueCount]) -> list[str]:
    """A sentence a factor whose values differ much in number, or one for many factors."""
    found = []
    for factor in {count.factor: None for count in known}:
        ratio = audit.imbalance(factor)
        if _IMBALANCED <= ratio < float("inf"):
            ordered = sorted((c for c in known if c.factor == factor), key=lambda c: c.train)
            words = clipped(ordered[-1].value), clipped(ordered[0].value)
            found.append((ratio, factor, *words))
    more = "Training shows rare values more often."
    if len(found) <= _MOST_NAMED:
        return [
            f"{factor} is imbalanced: {common} is {ratio:.1f} times as frequent as {rare}, which "
            f"will look worse. {more}"
            for ratio, factor, common, rare in found
        ]
    worst = [f"{factor}={rare} ({ratio:.1f})" for ratio, factor, _, rare in sorted(found)[::-1]]
    return [
        f"{len(found)} factors are imbalanced. Their rarest values will look worse; the commonest "
        f"value is so many times as frequent: {shortened(worst)}. {more}"
    ]


def _together(count: CombinationCount) -> str:
    return " ".join(clipped(value) for value in count.values)


def _about_pixels(audit: Audit) -> list[str]:
    advice = []
    coloured = audit.looked_at - len(audit.broken) - audit.grey
    if audit.channels == 3 and 0 < coloured <= 0.02 * audit.looked_at:
        advice.append(
            f"All but {plural(coloured, 'picture')} are grey. A grey model learns faster: set "
            "--data.channels 1."
        )
    if audit.sizes.short_side < audit.suggested_size:
        advice.append(
            f"Half of the pictures are smaller than {audit.suggested_size} px. They are enlarged "
            "and stay blurred."
        )
    return advice
