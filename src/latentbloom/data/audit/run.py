"""The audit: what is in a source, whether it is consistent, and whether it is likely to be enough.

Every picture is decoded once. A broken one is named and not used. The audit only refuses a source
of which next to nothing can be used.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

import numpy as np

from latentbloom.conditions import ANY, ConditionSpec
from latentbloom.data.audit.advice import judge
from latentbloom.data.audit.duplicates import exact_groups, near_groups
from latentbloom.data.audit.examine import Examiner, Progress, Seen, examine_all, expected_sizes
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
from latentbloom.data.pixels import Fit, suggest_size
from latentbloom.data.sources.base import Entry, Source, check_enough
from latentbloom.data.sources.labels.values import say_readings
from latentbloom.errors import SourceError
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
            keeper = stack.enter_context(KeepPictures(source, size=read_size, fit=keep))
        examine = Examiner(source, read_size, keep or "crop", keeper)
        seen, broken = examine_all(examine, entries, workers, on_progress)
    names = {aside.name for aside in broken}
    kept = [entry for entry in source.entries if entry.name not in names]
    _check(source, kept, broken)

    short_sides = [min(picture.width, picture.height) for picture in seen]
    median = float(np.median(short_sides))
    unused = [Aside(name=a.name, reason=a.reason) for a in source.set_aside]
    read = [Reading(factor=r.factor, value=r.value, words=r.words) for r in source.readings]
    audit = Audit(
        source=source.name,
        synthetic=source.synthetic,
        looked_at=len(entries),
        spec=source.spec.to_json(),
        train=sum(entry.split == "train" for entry in kept),
        val=sum(entry.split == "val" for entry in kept),
        counts=tuple(_value_counts(source.spec, kept)),
        combinations=tuple(_combination_counts(source.spec, kept)),
        sizes=_sizes(seen),
        modes=dict(Counter(picture.mode for picture in seen).most_common()),
        grey=sum(picture.grey for picture in seen),
        channels=1 if all(picture.grey for picture in seen) else 3,
        suggested_size=suggest_size(float("inf") if source.synthetic else median, device_type),
        broken=tuple(broken),
        unused=tuple(unused),
        unused_count=len(unused),
        duplicates=() if source.synthetic else tuple(_duplicates(seen)),
        notes=(*say_readings(source.readings), *source.notes),
        readings=tuple(read),
        huge=tuple(p.entry.name for p in seen if p.width * p.height > HUGE),
        dark=tuple(picture.entry.name for picture in seen if picture.dark),
        seconds=round(time.perf_counter() - start, 2),
    )
    verdict, advice = judge(audit)
    return audit.model_copy(update={"verdict": verdict, "advice": advice})


def _sample(source: Source) -> Sequence[Entry]:
    step = max(1, len(source.entries) // _SYNTHETIC_SAMPLE)
    return source.entries[::step][:_SYNTHETIC_SAMPLE]


def _check(source: Source, kept: Sequence[Entry], broken: Sequence[Aside]) -> None:
    """Refuse a source of which too few pictures can be read."""
    try:
        check_enough(len(kept), source.name)
    except SourceError as error:
        if not broken:
            raise
        raise SourceError(
            f"{error} {len(broken):,} of its files cannot be read; the first: {broken[0].reason}"
        ) from error
    if all(entry.labels == kept[0].labels for entry in kept):
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


def _value_counts(spec: ConditionSpec, entries: Sequence[Entry]) -> Iterator[ValueCount]:
    for place, factor in enumerate(spec.factors):
        counts = Counter((entry.labels[place], entry.split) for entry in entries)
        for index, value in enumerate((*factor.values, ANY)):
            train, val = counts[index, "train"], counts[index, "val"]
            if value != ANY or train + val:
                yield ValueCount(factor=factor.name, value=value, train=train, val=val)


def _combination_counts(
    spec: ConditionSpec, entries: Sequence[Entry]
) -> Iterator[CombinationCount]:
    """How often values occur together; nothing for one factor or for very many combinations."""
    total = math.prod(len(factor.values) for factor in spec.factors)
    if len(spec.factors) < 2 or total > _MAX_COMBINATIONS:
        return
    counts = Counter((entry.labels, entry.split) for entry in entries)
    for labels in itertools.product(*(range(len(factor.values)) for factor in spec.factors)):
        yield CombinationCount(
            values=tuple(f.values[i] for f, i in zip(spec.factors, labels, strict=True)),
            train=counts[labels, "train"],
            val=counts[labels, "val"],
        )


def _sizes(seen: Sequence[Seen]) -> Sizes:
    widths = [picture.width for picture in seen]
    heights = [picture.height for picture in seen]
    common = Counter(zip(widths, heights, strict=True)).most_common(5)
    return Sizes(
        width=(min(widths), float(np.median(widths)), max(widths)),
        height=(min(heights), float(np.median(heights)), max(heights)),
        short_side=float(np.median([min(s) for s in zip(widths, heights, strict=True)])),
        not_square=sum(w != h for w, h in zip(widths, heights, strict=True)),
        common=tuple((w, h, count) for (w, h), count in common),
        different=len(set(zip(widths, heights, strict=True))),
    )


def _duplicates(seen: Sequence[Seen]) -> Iterator[Duplicates]:
    exact = exact_groups([picture.digest for picture in seen])
    yield from (_group(seen, members, exact=True) for members in exact)
    # In the search for near duplicates, one of each set of exact ones represents them all.
    repeated = {index for members in exact for index in members[1:]}
    single = [index for index in range(len(seen)) if index not in repeated]
    if not single:
        return
    for members in near_groups(np.stack([seen[index].thumb for index in single])):
        yield _group(seen, [single[member] for member in members], exact=False)


def _group(seen: Sequence[Seen], members: Iterable[int], *, exact: bool) -> Duplicates:
    entries = [seen[member].entry for member in members]
    return Duplicates(
        names=tuple(entry.name for entry in entries),
        exact=exact,
        across_splits=len({entry.split for entry in entries}) > 1,
        across_labels=len({entry.labels for entry in entries}) > 1,
        held_out=sum(entry.split == "val" for entry in entries),
    )
