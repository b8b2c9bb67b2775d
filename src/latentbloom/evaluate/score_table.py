"""Scores as rows of a table: name, value, interval, and the value of real pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from latentbloom.evaluate.measures.intervals import Interval
from latentbloom.evaluate.scores import DistanceScore, PictureScores, ReconstructionScore, Scores

if TYPE_CHECKING:
    from rich.console import RenderableType

    from latentbloom.evaluate.speed_map import SpeedMap


class Row(NamedTuple):
    """One line of a table of scores.

    Arguments:
        what: Name of the score.
        value: The score, with its unit.
        interval: 95 % confidence interval; may be empty.
        real: The same score of real pictures, a floor or a ceiling; may be empty.
        note: A remark; may be empty.
    """

    what: str
    value: str
    interval: str = ""
    real: str = ""
    note: str = ""


def score_rows(
    pictures: PictureScores, reconstruction: ReconstructionScore | None = None
) -> list[Row]:
    """All scores, the most important ones first."""
    rows: list[Row] = []
    if reconstruction is not None:
        psnr, ssim = reconstruction.psnr, reconstruction.ssim
        rows += [
            Row("reconstruction PSNR", f"{psnr.value:.2f} dB", _between(psnr, "{:.2f}")),
            Row("reconstruction SSIM", f"{ssim.value:.3f}", _between(ssim, "{:.3f}")),
            *_perceptual(reconstruction),
            _distance("reconstruction FD", reconstruction.frechet, "{:.1f}"),
        ]
    distances = [
        _distance("samples FD", pictures.frechet, "{:.1f}"),
        _distance("samples KID", pictures.kernel, "{:.4f}"),
    ]
    rows += distances[::-1] if pictures.few else distances
    rows += _extrapolated(pictures.frechet)
    for name, value in pictures.manifold.items():
        real = pictures.manifold_floor[name].value
        rows.append(
            Row(f"samples {name}", f"{value.value:.3f}", _between(value, "{:.3f}"), f"{real:.3f}")
        )
    rows += _control(pictures)
    rows += _combinations(pictures)
    if pictures.copying is not None:
        share = pictures.copying.share
        rows.append(
            Row(
                "nearer to train than 99 % of val",
                _percent(share.value),
                _percents(share),
                "1.0 %",
                f"{pictures.copying.searched} training pictures searched, by "
                f"{pictures.copying.measured_by}",
            )
        )
    for one in pictures.diversity:
        alarm = "the samples look alike" if one.alarm else ""
        rows.append(Row(f"spread of {one.label}", f"{one.ratio:.2f}", "", "1.00", alarm))
    return rows


def score_table(scores: Scores, *, title: str = "Scores") -> RenderableType:
    """A table for the terminal, with its notes below."""
    from rich.console import Group
    from rich.text import Text

    notes = [Text(f"Note: {note}") for note in scores.pictures.notes]
    rows = score_rows(scores.pictures, scores.reconstruction)
    return Group(rows_table(rows, title=title), *notes)


def rows_table(rows: list[Row], *, title: str) -> RenderableType:
    """Rows as a table for the terminal, without empty columns."""
    from rich.table import Table
    from rich.text import Text

    heads = ("score", "value", "95 % interval", "real", "")
    table = Table(title=Text(title), title_justify="left")
    used = [i for i in range(len(heads)) if any(row[i] for row in rows)]
    for i in used:
        table.add_column(heads[i], justify="left" if i in {0, 4} else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[i]) for i in used))
    return table


def _perceptual(reconstruction: ReconstructionScore) -> Iterator[Row]:
    if (apart := reconstruction.perceptual) is not None:
        yield Row("reconstruction, feature maps", f"{apart.value:.3f}", _between(apart, "{:.3f}"))


def speed_table(found: SpeedMap) -> RenderableType:
    """Settings of the sampler, the best first, with the qualities that they were chosen for."""
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=f"Speed against quality, {found.samples} samples each", title_justify="left"
    )
    for head in ("sampler", "steps", "guidance", "pictures/s", "KID", "as asked", "cost"):
        table.add_column(head, justify="left" if head == "sampler" else "right")
    table.add_column("chosen as")
    for point in sorted(found.points, key=lambda p: p.cost):
        how = point.setting
        names = ", ".join(name for name, setting in found.chosen.items() if setting == how)
        cells = (
            how.sampler,
            str(how.num_steps),
            f"{how.guidance:g}",
            f"{point.pictures_per_second:.1f}",
            f"{point.kernel.value:.4f}",
            "" if point.met is None else _percent(point.met),
            f"{point.cost:.2f}",
            names,
        )
        table.add_row(*(Text(cell) for cell in cells), style="bold" if names else "")
    return table


def _control(pictures: PictureScores) -> Iterator[Row]:
    for control in pictures.control:
        yield Row(
            f"{control.factor} as asked, mean",
            _percent(control.mean.value),
            _percents(control.mean),
            _percent(control.real_mean.value),
            "mean over values, by a classifier trained on real pictures",
        )
        if (trained := control.trained_on_samples) is not None:
            yield Row(
                "  classifier trained on samples",
                _percent(trained.value),
                _percents(trained),
                _percent(control.real_mean.value),
                "accuracy on real pictures",
            )
        lines = zip(control.values, control.asked, control.met, control.real, strict=True)
        for value, asked, met, real in lines:
            if met is None:
                continue
            ceiling = "" if real is None else _percent(real.value)
            yield Row(f"  {value}", _percent(met.value), _percents(met), ceiling, f"{asked} asked")


def _combinations(pictures: PictureScores) -> Iterator[Row]:
    for one in pictures.combinations:
        names = "; ".join(one.combinations) if one.which == "unseen" else ""
        real = "" if one.real is None else _percent(one.real.value)
        about = f"{one.asked} asked" + (f": {names}" if names else "")
        yield Row(
            f"{one.which} combinations met",
            _percent(one.met.value),
            _percents(one.met),
            real,
            about,
        )
        if one.kernel is not None:
            value = f"{one.kernel.value:.4f}"
            yield Row(f"{one.which} combinations KID", value, _between(one.kernel, "{:.4f}"))


def _distance(what: str, score: DistanceScore, form: str) -> Row:
    times = f"{score.over_floor:.2f} times real" if score.floor.value > 0 else ""
    note = ", ".join(part for part in (times, score.name) if part)
    value, real = form.format(score.value.value), form.format(score.floor.value)
    return Row(what, value, _between(score.value, form), real, note)


def _extrapolated(score: DistanceScore) -> Iterator[Row]:
    if (limit := score.limit) is not None:
        real = "" if score.limit_floor is None else f"{score.limit_floor.value:.1f}"
        value, between = f"{limit.value:.1f}", _between(limit, "{:.1f}")
        yield Row("samples FD, extrapolated", value, between, real, "to infinitely many pictures")


def _between(interval: Interval, form: str) -> str:
    return f"{form.format(interval.low)} to {form.format(interval.high)}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _percents(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
