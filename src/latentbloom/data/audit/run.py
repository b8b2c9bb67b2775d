"""The audit: what is in a source, whether it is consistent, and whether it is likely to be enough.

Every picture is decoded once. A broken one is named and not used. The audit only refuses a source
of which next to nothing can be used.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from latentbloom.conditions import ANY, ConditionSpec
from latentbloom.data.audit.advice import judge
from latentbloom.data.audit.duplicates import exact_groups, near_groups
from latentbloom.data.audit.examine import Examined, Examiner, Progress, examine_all, expected_sizes
from latentbloom.data.audit.findings import (
    HUGE,
    Aside,
    Audit,
    CombinationCount,
    Duplicates,
    Reading,
    Sizes,
    ValueCount,
)
from latentbloom.data.audit.table import audit_table
from latentbloom.data.kept import KeepPictures
from latentbloom.data.listed.entries import Entries
from latentbloom.data.pixels import Fit, suggest_size
from latentbloom.data.sources.base import Entry, Source, check_enough
from latentbloom.data.sources.labels.values import say_readings
from latentbloom.errors import SourceError
from latentbloom.sharing import ALONE, Group
from latentbloom.words import plural

__all__ = ["Audit", "audit_source", "audit_table"]

_SYNTHETIC_SAMPLE = 128
_MAX_COMBINATIONS = 400


def audit_source(
    source: Source,
    *,
    device_type: str = "cpu",
    size: int | None = None,
    keep: Fit | None = None,
    workers: int | None = None,
    on_progress: Progress | None = None,
    group: Group = ALONE,
) -> Audit:
    """Check every picture of a source; of a synthetic one, a sample.

    Arguments:
        source: Opened by `open_source`.
        device_type: What will train: limits the suggested size.
        size: Side of the run's pictures, in pixels, where it is known.
        keep: Keep the decoded pictures for training, cropped or squeezed to squares like this;
            None keeps nothing.
        workers: Threads that decode; None takes one a core, at most 4.
        on_progress: Called now and then with (pictures done, pictures in all).
        group: Processes that share the reading; all call this, and find the same.

    Raises:
        SourceError: Too few pictures can be read, or all that can have one label.
    """
    start = time.perf_counter()
    entries = _sample(source) if source.synthetic else source.entries
    # The run's size is only certain at the end of the audit, when the median of all sizes is
    # known. A few pictures nearly always tell it, and decoding for it keeps the pictures and is
    # quicker than decoding more. Where they are wrong, what was kept has another size than the
    # run and is not read: training decodes the files itself.
    side, read_size = expected_sizes(source, device_type, size)
    with ExitStack() as stack:
        keeper = None
        # Small files are decoded about as quickly as they are read from the disk.
        if keep is not None and not source.synthetic and side >= 2 * read_size:
            keeper = stack.enter_context(
                KeepPictures(source, size=read_size, fit=keep, group=group)
            )
        examine = Examiner(source, read_size, keep or "crop", keeper)
        found = examine_all(examine, entries, workers, on_progress, group)
    seen, broken = found.seen, found.broken
    kept = Entries.of(source.entries).without(aside.name for aside in broken)
    _check(source, kept, broken)
    median = float(np.median(np.minimum(seen["width"], seen["height"])))
    unused = [Aside(name=a.name, reason=a.reason) for a in source.set_aside]
    read = [Reading(factor=r.factor, value=r.value, words=r.words) for r in source.readings]
    audit = Audit(
        source=source.name,
        synthetic=source.synthetic,
        looked_at=len(entries),
        spec=source.spec.to_json(),
        train=int((~kept.held_out).sum()),
        val=int(kept.held_out.sum()),
        counts=tuple(_value_counts(source.spec, kept)),
        combinations=tuple(_combination_counts(source.spec, kept)),
        sizes=_sizes(seen),
        modes={mode.decode(): count for mode, count in _commonest(seen["mode"])},
        grey=int(seen["grey"].sum()),
        channels=1 if seen["grey"].all() else 3,
        suggested_size=suggest_size(float("inf") if source.synthetic else median, device_type),
        broken=broken,
        unused=tuple(unused),
        unused_count=len(unused),
        duplicates=() if source.synthetic else tuple(_duplicates(found, entries)),
        notes=(*say_readings(source.readings), *source.notes),
        readings=tuple(read),
        layout=source.layout,
        huge=tuple(entries[row].name for row in _rows_of_huge(seen)),
        dark=tuple(entries[row].name for row in seen["row"][seen["dark"]]),
        seconds=round(time.perf_counter() - start, 2),
    )
    verdict, advice = judge(audit)
    return audit.model_copy(update={"verdict": verdict, "advice": advice})


def _rows_of_huge(seen: np.ndarray) -> np.ndarray:
    return seen["row"][seen["width"].astype(np.int64) * seen["height"] > HUGE]


def _commonest(values: np.ndarray) -> list[tuple[Any, int]]:
    """Different values and how often each occurs, as `Counter.most_common` gives them."""
    found, first, counts = np.unique(values, return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    return list(zip(found[order].tolist(), counts[order].tolist(), strict=True))


def _sample(source: Source) -> Sequence[Entry]:
    step = max(1, len(source.entries) // _SYNTHETIC_SAMPLE)
    return source.entries[::step][:_SYNTHETIC_SAMPLE]


def _check(source: Source, kept: Entries, broken: Sequence[Aside]) -> None:
    """Refuse a source of which too few pictures can be read."""
    try:
        check_enough(len(kept), source.name)
    except SourceError as error:
        if not broken:
            raise
        raise SourceError(
            f"{error} {len(broken):,} of its files cannot be read; the first: {broken[0].reason}"
        ) from error
    if (kept.labels == kept.labels[:1]).all():
        words = ", ".join(
            f"{factor.name}={factor.word(index)}"
            for factor, index in zip(source.spec.factors, kept[0].labels, strict=True)
        )
        raise SourceError(
            f"'{source.name}' has one label only, {words}, without the "
            f"{plural(len(broken), 'file')} that cannot be read. The first of them: "
            f"{broken[0].reason}"
            if broken
            else f"'{source.name}' has one label only, {words}. Two or more are needed."
        )


def _value_counts(spec: ConditionSpec, entries: Entries) -> Iterator[ValueCount]:
    for place, factor in enumerate(spec.factors):
        counts = [
            np.bincount(entries.labels[held, place], minlength=len(factor.values) + 1).tolist()
            for held in (~entries.held_out, entries.held_out)
        ]
        for index, value in enumerate((*factor.values, ANY)):
            train, val = counts[0][index], counts[1][index]
            if value != ANY or train + val:
                yield ValueCount(factor=factor.name, value=value, train=train, val=val)


def _combination_counts(spec: ConditionSpec, entries: Entries) -> Iterator[CombinationCount]:
    """How often values occur together; nothing for one factor or for very many combinations."""
    total = math.prod(len(factor.values) for factor in spec.factors)
    if len(spec.factors) < 2 or total > _MAX_COMBINATIONS:
        return
    sides = [len(factor.values) + 1 for factor in spec.factors]
    numbers = np.ravel_multi_index(tuple(entries.labels.T), sides)
    counts = [
        np.bincount(numbers[held], minlength=math.prod(sides)).reshape(sides)
        for held in (~entries.held_out, entries.held_out)
    ]
    for labels in itertools.product(*(range(len(factor.values)) for factor in spec.factors)):
        yield CombinationCount(
            values=tuple(f.values[i] for f, i in zip(spec.factors, labels, strict=True)),
            train=int(counts[0][labels]),
            val=int(counts[1][labels]),
        )


def _sizes(seen: np.ndarray) -> Sizes:
    widths, heights = seen["width"], seen["height"]
    both = _commonest(widths.astype(np.int64) << 32 | heights)
    return Sizes(
        width=(int(widths.min()), float(np.median(widths)), int(widths.max())),
        height=(int(heights.min()), float(np.median(heights)), int(heights.max())),
        short_side=float(np.median(np.minimum(widths, heights))),
        not_square=int((widths != heights).sum()),
        common=tuple((key >> 32, key & 0xFFFFFFFF, count) for key, count in both[:5]),
        different=len(both),
    )


def _duplicates(found: Examined, entries: Sequence[Entry]) -> Iterator[Duplicates]:
    rows = found.seen["row"]
    exact = exact_groups(found.seen["digest"])
    yield from (_group(entries, rows[members], exact=True) for members in exact)
    # In the search for near duplicates, one of each set of exact ones represents them all.
    single = np.ones(len(rows), bool)
    for members in exact:
        single[members[1:]] = False
    chosen = np.flatnonzero(single)
    if not len(chosen):
        return
    for members in near_groups(found.thumbs, chosen):
        yield _group(entries, rows[chosen[members]], exact=False)


def _group(entries: Sequence[Entry], rows: np.ndarray, *, exact: bool) -> Duplicates:
    some = [entries[row] for row in rows]
    return Duplicates(
        names=tuple(entry.name for entry in some),
        exact=exact,
        across_splits=len({entry.split for entry in some}) > 1,
        across_labels=len({entry.labels for entry in some}) > 1,
        held_out=sum(entry.split == "val" for entry in some),
    )
