"""Scores of runs side by side, and which run is better by more than chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentbloom.errors import ConfigError
from latentbloom.evaluate.measures.intervals import Interval
from latentbloom.evaluate.scores import DistanceScore, Scores

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Measure:
    """One score of several runs.

    Arguments:
        what: Its name.
        values: One a run; None where a run lacks it.
        form: Format of a value.
        higher: Whether higher is better.
        comparable: Whether every run was measured in the same way.
    """

    what: str
    values: tuple[Interval | None, ...]
    form: str
    higher: bool
    comparable: bool = True

    def best(self) -> int | None:
        """The run that is better than every other by more than chance; None if there is none.

        Two values differ when they are farther apart than the root of the sum of squares of
        their intervals' half-widths.
        """
        if not self.comparable:
            return None
        there = [(v.value, i) for i, v in enumerate(self.values) if v is not None]
        if len(there) < 2:
            return None
        _, first = sorted(there, reverse=self.higher)[0]
        others = (i for _, i in there if i != first)
        return first if all(self._differ(first, i) for i in others) else None

    def _differ(self, a: int, b: int) -> bool:
        x, y = self.values[a], self.values[b]
        assert x is not None
        assert y is not None
        noise = math.hypot((x.high - x.low) / 2, (y.high - y.low) / 2)
        return abs(x.value - y.value) > noise


def measures(scores: Sequence[Scores]) -> list[Measure]:
    """The scores to compare, the most important ones first."""

    def one(
        what: str, get: Callable[[Scores], Interval | None], form: str, higher: bool
    ) -> Measure:
        return Measure(what, tuple(get(s) for s in scores), form, higher)

    def distance(what: str, get: Callable[[Scores], DistanceScore | None], form: str) -> Measure:
        found = [get(s) for s in scores]
        names = {(d.name, s.pictures.val) for d, s in zip(found, scores, strict=True) if d}
        values = tuple(d.value if d else None for d in found)
        return Measure(what, values, form, higher=False, comparable=len(names) <= 1)

    listed = [
        distance("samples FD", lambda s: s.pictures.frechet, "{:.1f}"),
        distance("samples KID", lambda s: s.pictures.kernel, "{:.4f}"),
        *(
            one(
                f"samples {name}",
                lambda s, name=name: s.pictures.manifold.get(name),
                "{:.3f}",
                True,
            )
            for name in scores[0].pictures.manifold
        ),
    ]
    limits = tuple(s.pictures.frechet.limit for s in scores)
    if any(limits):  # comparable for different numbers of pictures, not for different features
        same = len({s.pictures.features for s in scores}) == 1
        listed.append(Measure("samples FD, extrapolated", limits, "{:.1f}", False, same))
    for control in scores[0].pictures.control:
        listed.append(
            one(
                f"{control.factor} as asked",
                lambda s, name=control.factor: _asked(s, name),
                "{:.1%}",
                True,
            )
        )
    return [
        *listed,
        one(
            "nearer to train than 99 % of val",
            lambda s: s.pictures.copying.share if s.pictures.copying else None,
            "{:.1%}",
            False,
        ),
        one("reconstruction PSNR, dB", _psnr, "{:.2f}", True),
        distance(
            "reconstruction FD",
            lambda s: s.reconstruction.frechet if s.reconstruction else None,
            "{:.1f}",
        ),
    ]


def _psnr(scores: Scores) -> Interval | None:
    return scores.reconstruction.psnr if scores.reconstruction else None


def _asked(scores: Scores, factor: str) -> Interval | None:
    return next((c.mean for c in scores.pictures.control if c.factor == factor), None)


def compare_table(
    names: Sequence[str], scores: Sequence[Scores], *, title: str = "Runs side by side"
) -> RenderableType:
    """One column a run; the last one names the better run, or says that there is none.

    Arguments:
        names: Of the runs.
        scores: Of the runs, two or more.
        title: What they were compared with.

    Raises:
        ConfigError: There are fewer than two runs.
    """
    from rich.table import Table
    from rich.text import Text

    if len(scores) < 2:
        raise ConfigError("One run cannot be compared; name two or more.")
    table = Table(title=Text(title), title_justify="left")
    table.add_column("score")
    for name in names:
        table.add_column(Text(name), justify="right", overflow="fold")
    table.add_column("difference")
    for measure in measures(scores):
        if all(value is None for value in measure.values):
            continue
        best = measure.best()
        cells = [
            Text(
                "-" if value is None else measure.form.format(value.value),
                style="bold" if best == i else "",
            )
            for i, value in enumerate(measure.values)
        ]
        table.add_row(Text(measure.what), *cells, Text(_verdict(measure, names, best)))
    return table


def _verdict(measure: Measure, names: Sequence[str], best: int | None) -> str:
    if not measure.comparable:
        return "not comparable: other features, or another number of pictures"
    if sum(value is not None for value in measure.values) < 2:
        return ""
    return "none beyond chance" if best is None else f"{names[best]} is better"
