"""What is in a source, whether it holds together, and whether it is likely to be enough.

Every picture is decoded once. A broken one is named and set aside; only when next to nothing
is left does the audit refuse.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from latentbloom.conditions import ANY, ConditionSpec
from latentbloom.data.audit.advice import judge
from latentbloom.data.audit.duplicates import digest, exact_groups, near_groups, thumbnail
from latentbloom.data.audit.findings import (
    Aside,
    Audit,
    CombinationCount,
    Duplicates,
    Sizes,
    ValueCount,
)
from latentbloom.data.audit.table import audit_table
from latentbloom.data.pixels import is_grey, suggest_size
from latentbloom.data.sources.base import Entry, Source, check_enough
from latentbloom.errors import SourceError

__all__ = ["Audit", "audit_source", "audit_table"]

Progress = Callable[[int, int], None]

_READ_SIZE = 128
"""Large JPEGs are decoded at a fraction whose shorter side is at least twice this."""

_SYNTHETIC_SAMPLE = 128
_CHUNK = 32
_MAX_UNUSED = 100
_MAX_COMBINATIONS = 400


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is remembered of a picture: a few hundred bytes."""

    entry: Entry
    mode: str
    width: int
    height: int
    grey: bool
    digest: bytes
    thumb: np.ndarray


def audit_source(
    source: Source,
    *,
    device_type: str = "cpu",
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Audit:
    """Look at every picture of a source; of a drawn one, at a sample.

    Arguments:
        source: Opened by `open_source`.
        device_type: What will train: bounds the suggested size.
        workers: Threads that decode; None takes one a core, at most 4.
        on_progress: Called now and then with (pictures done, pictures in all).

    Raises:
        SourceError: Too few pictures can be read, or all that can have one label.
    """
    start = time.perf_counter()
    entries = _sample(source) if source.synthetic else source.entries
    seen, broken = _look(source, entries, workers, on_progress)
    names = {aside.name for aside in broken}
    kept = [entry for entry in source.entries if entry.name not in names]
    _check(source, kept, broken)

    short_sides = [min(picture.width, picture.height) for picture in seen]
    median = float(np.median(short_sides))
    unused = [Aside(name=a.name, reason=a.reason) for a in source.set_aside]
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
        unused=tuple(unused[:_MAX_UNUSED]),
        unused_count=len(unused),
        duplicates=() if source.synthetic else tuple(_duplicates(seen)),
        notes=source.notes,
        seconds=round(time.perf_counter() - start, 2),
    )
    verdict, advice = judge(audit)
    return audit.model_copy(update={"verdict": verdict, "advice": advice})


def _sample(source: Source) -> Sequence[Entry]:
    step = max(1, len(source.entries) // _SYNTHETIC_SAMPLE)
    return source.entries[::step][:_SYNTHETIC_SAMPLE]


def _look(
    source: Source, entries: Sequence[Entry], workers: int | None, on_progress: Progress | None
) -> tuple[list[_Seen], list[Aside]]:
    """Decode in threads: Pillow lets go of the interpreter while it decodes and resizes."""
    chunks = [entries[i : i + _CHUNK] for i in range(0, len(entries), _CHUNK)]
    seen: list[_Seen] = []
    broken: list[Aside] = []
    pool = ThreadPoolExecutor(workers or min(4, os.cpu_count() or 1), "audit")
    try:
        done = 0
        for results in pool.map(lambda chunk: [_examine(source, e) for e in chunk], chunks):
            for result in results:
                if isinstance(result, _Seen):
                    seen.append(result)
                else:
                    broken.append(result)
            done += len(results)
            if on_progress is not None:
                on_progress(done, len(entries))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return seen, broken


def _examine(source: Source, entry: Entry) -> _Seen | Aside:
    try:
        picture = source.inspect(entry, size=_READ_SIZE)
    except SourceError as error:
        return Aside(name=entry.name, reason=str(error))
    pixels = picture.pixels
    grey = is_grey(pixels)
    if grey:
        pixels = pixels[..., :1]
    return _Seen(
        entry=entry,
        mode=picture.mode,
        width=picture.width,
        height=picture.height,
        grey=grey,
        digest=digest(np.ascontiguousarray(pixels)),
        thumb=thumbnail(pixels),
    )


def _check(source: Source, kept: Sequence[Entry], broken: Sequence[Aside]) -> None:
    """Refuse when the broken pictures leave too little."""
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
            f"'{source.name}' has one label only, {words}, once the {len(broken):,} files that "
            f"cannot be read are set aside. The first of them: {broken[0].reason}"
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
    total = np.prod([len(factor.values) for factor in spec.factors])
    if len(spec.factors) < 2 or total > _MAX_COMBINATIONS:
        return
    counts = Counter((entry.labels, entry.split) for entry in entries)
    for labels in itertools.product(*(range(len(factor.values)) for factor in spec.factors)):
        yield CombinationCount(
            values=tuple(f.values[i] for f, i in zip(spec.factors, labels, strict=True)),
            train=counts[labels, "train"],
            val=counts[labels, "val"],
        )


def _sizes(seen: Sequence[_Seen]) -> Sizes:
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


def _duplicates(seen: Sequence[_Seen]) -> Iterator[Duplicates]:
    exact = exact_groups([picture.digest for picture in seen])
    yield from (_group(seen, members, exact=True) for members in exact)
    # One of each set of exact duplicates stands for all in the search for near ones.
    repeated = {index for members in exact for index in members[1:]}
    single = [index for index in range(len(seen)) if index not in repeated]
    if not single:
        return
    for members in near_groups(np.stack([seen[index].thumb for index in single])):
        yield _group(seen, [single[member] for member in members], exact=False)


def _group(seen: Sequence[_Seen], members: Iterable[int], *, exact: bool) -> Duplicates:
    entries = [seen[member].entry for member in members]
    return Duplicates(
        names=tuple(entry.name for entry in entries),
        exact=exact,
        across_splits=len({entry.split for entry in entries}) > 1,
        across_labels=len({entry.labels for entry in entries}) > 1,
    )
