"""Curves as inline SVG, coloured by the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from latentbloom.figures.from_run_files.series import Series, StageCurves, frame

WIDTH, HEIGHT = 340, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 24
_MOST_POINTS = 240


def panel(one: Series, curves: StageCurves, *, log: bool = False) -> str:
    """One series as an <svg> element.

    Arguments:
        one: The series.
        curves: Its stage, for the phases and the extent of the axis.
        log: Logarithmic y axis; needs positive values.
    """
    low, high = _log_frame(one) if log else frame(one)
    place = _Place(curves.end or 1.0, low, high, log)
    parts = [_phases(curves, place), _grid(place, low, high, log), _x_axis(place)]
    if len(one.x):
        parts.append(_line(place, one.x, one.y, "raw"))
        parts.append(_line(place, one.x, one.smooth, "smooth"))
    if len(one.val_x):
        parts.append(_line(place, one.val_x, one.val_y, "val"))
        dots = zip(place.x(one.val_x), place.y(one.val_y), strict=True)
        parts += [f'<circle class="val" cx="{x:.1f}" cy="{y:.1f}" r="2.4"/>' for x, y in dots]
    words = escape(describe(one))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">'
        f"{''.join(parts)}</svg>"
    )


def describe(one: Series) -> str:
    """A curve in words, for readers who cannot see it."""
    said = [f"{one.title} over images seen"]
    if len(one.x):
        said.append(f"in training from {one.smooth[0]:.3g} to {one.smooth[-1]:.3g}")
    if len(one.val_x):
        said.append(f"on held-out pictures from {one.val_y[0]:.3g} to {one.val_y[-1]:.3g}")
    return ", ".join(said)


def can_be_log(one: Series) -> bool:
    """Whether all values are positive."""
    known = np.concatenate([one.y, one.val_y])
    return len(known) > 0 and bool((known > 0).all())


class _Place:
    """From data to the coordinates of the picture."""

    def __init__(self, end: float, low: float, high: float, log: bool) -> None:
        self.end, self.log = end, log
        self.low, self.high = (math.log10(low), math.log10(high)) if log else (low, high)

    def x(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        share = np.asarray(values, float) / self.end
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        known = np.asarray(values, float)
        known = np.log10(known) if self.log else known
        share = ((known - self.low) / (self.high - self.low)).clip(0.0, 1.0)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def _log_frame(one: Series) -> tuple[float, float]:
    known = np.concatenate([one.smooth, one.val_y])
    low, high = float(known.min()), float(known.max())
    pad = (high / low) ** 0.06 if high > low else 1.2
    return low / pad, high * pad


def _line(place: _Place, x: np.ndarray, y: np.ndarray, kind: str) -> str:
    step = max(1, math.ceil(len(x) / _MOST_POINTS))
    keep = np.unique(np.append(np.arange(0, len(x), step), len(x) - 1))
    places = zip(place.x(x[keep]), place.y(y[keep]), strict=True)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    return f'<polyline class="{kind}" points="{points}"/>'


def _phases(curves: StageCurves, place: _Place) -> str:
    starts = [start for _, start in curves.phases] + [curves.end]
    parts = []
    for k, (name, start) in enumerate(curves.phases):
        x0, x1 = place.x([start, max(start, starts[k + 1])])
        if k % 2:
            parts.append(
                f'<rect class="phase" x="{x0:.1f}" y="{_TOP}" width="{x1 - x0:.1f}" '
                f'height="{HEIGHT - _TOP - _BOTTOM}"><title>{escape(name)}</title></rect>'
            )
    return "".join(parts)


def _grid(place: _Place, low: float, high: float, log: bool) -> str:
    ticks = log_ticks(low, high) if log else linear_ticks(low, high)
    parts = []
    for tick in ticks:
        y = float(place.y([tick])[0])
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/><text x="{_LEFT - 5}" y="{y + 3:.1f}" '
            f'class="end">{tick:.4g}</text>'
        )
    return "".join(parts)


def _x_axis(place: _Place) -> str:
    parts = []
    for tick in linear_ticks(0.0, place.end, wanted=4):
        x = float(place.x([tick])[0])
        side = "end" if x > WIDTH - _RIGHT - 12 else "mid"
        at = WIDTH - 1 if side == "end" else x
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - 8}" class="{side}">{short(tick)}</text>')
    return "".join(parts)


def linear_ticks(low: float, high: float, *, wanted: int = 4) -> list[float]:
    """Round places inside [low, high], about as many as wanted."""
    span = high - low
    if not span > 0:
        return [low]
    rough = span / wanted
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next((m * unit for m in (1, 2, 2.5, 5) if m * unit >= rough), 10 * unit)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten inside [low, high]; powers alone over many decades."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if high / low < 1000 else (1,)
    found = [m * 10.0**d for d in decades for m in factors if low <= m * 10.0**d <= high]
    return found if len(found) > 1 else linear_ticks(low, high)


def short(number: float) -> str:
    """1500 as 1.5k, 2000000 as 2M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"
