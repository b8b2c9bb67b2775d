"""Curves of training: what is in metrics.jsonl, as series, and as figure files."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.show.palette import ACCENT, BAND, FAINT, INK, MUTED, SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

FILES = {"vae_gan": "autoencoder_losses.png", "diffusion": "diffusion_loss.png"}
TITLES = {"vae_gan": "Autoencoder", "diffusion": "Diffusion"}
_POSITION = {"kind", "stage", "images", "epoch", "seconds", "progress", "name"}
_ABOUT = {
    "reconstruction": ("reconstruction", "mean absolute error of pixels in [-1, 1]"),
    "perceptual": ("perceptual", "distance of deep features"),
    "kl": ("KL", "nats a latent number"),
    "adversarial": ("adversarial", "the autoencoder's hinge loss"),
    "discriminator": ("discriminator", "hinge loss; 1 is not knowing, 0 is telling apart"),
    "discriminator_accuracy": ("discriminator accuracy", "0.5 is guessing"),
    "psnr": ("PSNR", "decibels, higher is better"),
    "diffusion": ("denoising loss", "mean squared error of the prediction"),
    "adaptive_weight": ("adaptive weight", "of the adversarial gradient"),
    "lr": ("learning rate", ""),
    "images_per_second": ("speed", "images a second"),
}


@dataclass(frozen=True)
class Series:
    """One number over the course of a stage.

    Attributes:
        name: Its field in metrics.jsonl.
        title: Words for people.
        about: Unit, or how to read it.
        x: Images seen, growing.
        y: Values while training.
        smooth: `y` with its jitter taken out, each phase for itself.
        val_x: Images seen at validations.
        val_y: Values on pictures that were kept aside.
        log: Whether a logarithmic axis shows it better.
    """

    name: str
    title: str
    about: str
    x: Numbers
    y: Numbers
    smooth: Numbers
    val_x: Numbers
    val_y: Numbers
    log: bool


@dataclass(frozen=True)
class StageCurves:
    """All series of a stage, and where its phases begin.

    Attributes:
        stage: "vae_gan" or "diffusion".
        series: In a fixed order, losses first.
        phases: (name, images at its begin), growing.
        end: Images seen at the last record.
        epochs_per_image: For an axis in epochs; 0 when unknown.
    """

    stage: str
    series: tuple[Series, ...]
    phases: tuple[tuple[str, float], ...]
    end: float
    epochs_per_image: float


def stage_curves(metrics: Sequence[Mapping[str, Any]], stage: str) -> StageCurves:
    """Sort the records of one stage into series.

    Arguments:
        metrics: Records of metrics.jsonl.
        stage: "vae_gan" or "diffusion".

    Returns:
        The curves; `series` is empty when the stage has not begun.
    """
    mine = [m for m in metrics if m.get("stage") == stage and _is_number(m.get("images"))]
    phases: dict[str, float] = {}
    for m in mine:
        if m.get("kind") == "phase":
            phases.setdefault(str(m.get("name", "")), float(m["images"]))
    points: dict[str, dict[str, list[tuple[float, float]]]] = {"train": {}, "val": {}}
    for m in mine:
        kind = points.get(str(m.get("kind")), {})
        for name, value in m.items():
            if name not in _POSITION and _is_number(value):
                kind.setdefault(name, []).append((float(m["images"]), float(value)))
    names = {**points["train"], **points["val"]}
    order = [n for n in _ABOUT if n in names] + sorted(n for n in names if n not in _ABOUT)
    starts = tuple(sorted(phases.items(), key=lambda p: p[1]))
    bounds = [start for _, start in starts]
    series = tuple(
        _series(n, points["train"].get(n, []), points["val"].get(n, []), bounds) for n in order
    )
    end = max((float(m["images"]) for m in mine), default=0.0)
    epochs = [m["epoch"] / m["images"] for m in mine if _is_number(m.get("epoch")) and m["images"]]
    return StageCurves(stage, series, starts, end, float(epochs[-1]) if epochs else 0.0)


def _series(
    name: str,
    train: list[tuple[float, float]],
    val: list[tuple[float, float]],
    bounds: list[float],
) -> Series:
    x, y = _columns(train)
    val_x, val_y = _columns(val)
    title, about = _ABOUT.get(name, (name.replace("_", " "), ""))
    both = y if name == "lr" else smoothed(x, y, bounds)
    level = np.concatenate([both, val_y])
    wide = len(level) > 1 and level.min() > 0 and level.max() / level.min() > 15
    return Series(name, title, about, x, y, both, val_x, val_y, wide and name != "lr")


def _columns(points: list[tuple[float, float]]) -> tuple[Numbers, Numbers]:
    # The last value counts where a resumed run has written a place twice.
    table = np.array(sorted(dict(points).items()), np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def smoothed(
    x: Numbers, y: Numbers, bounds: Sequence[float] = (), *, share: float = 0.02
) -> Numbers:
    """Gaussian mean over `share` of the points, never across a phase boundary.

    Arguments:
        x: Places (N,), growing.
        y: Values (N,).
        bounds: Places that no mean may reach across.
        share: Standard deviation of the kernel, as a share of N.

    Returns:
        Values (N,).
    """
    width = max(1.0, share * len(y))
    reach = int(3 * width)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    out = np.empty_like(y)
    cuts = sorted({0, len(y), *(int(np.searchsorted(x, b)) for b in bounds)})
    for start, stop in itertools.pairwise(cuts):
        part = y[start:stop]
        weight = np.convolve(np.ones_like(part), kernel)[reach : reach + len(part)]
        out[start:stop] = np.convolve(part, kernel)[reach : reach + len(part)] / weight
    return out


def loss_curves(
    metrics: Sequence[Mapping[str, Any]], stage: str, path: Path, *, log: bool | None = None
) -> Path:
    """Draw every loss of a stage in its own panel.

    Arguments:
        metrics: Records of metrics.jsonl.
        stage: "vae_gan" or "diffusion".
        path: The PNG to write.
        log: Logarithmic or linear axes; None chooses for each panel.

    Raises:
        ValueError: The stage has written nothing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = stage_curves(metrics, stage)
    if not curves.series:
        raise ValueError(f"metrics.jsonl holds no numbers of the stage '{stage}'.")
    n = len(curves.series)
    cols = min(3, n)
    rows = -(-n // cols)
    figure = Figure(figsize=(4.6 * cols, 2.9 * rows + 0.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"{TITLES.get(stage, stage)}: losses over images seen", x=0.01, ha="left", size=13,
        weight="bold", color=INK,
    )
    for k, one in enumerate(curves.series):
        axes = figure.add_subplot(rows, cols, k + 1)
        _panel(axes, one, curves, log=one.log if log is None else log, named=k == 0)
        if k < cols:
            _epoch_axis(axes, curves)
    from latentbloom.show.pictures import save_picture

    figure.canvas.draw()  # type: ignore[union-attr]
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[union-attr]
    return save_picture(path, np.ascontiguousarray(pixels))


def _panel(axes: Axes, one: Series, curves: StageCurves, *, log: bool, named: bool) -> None:
    from matplotlib.ticker import EngFormatter

    starts = [start for _, start in curves.phases]
    line = 0
    for k, (name, start) in enumerate(curves.phases):
        stop = starts[k + 1] if k + 1 < len(starts) else curves.end
        if k % 2:
            axes.axvspan(start, stop, color=BAND, lw=0, zorder=0)
        elif k:
            axes.axvline(start, color=FAINT, lw=0.8, zorder=0)
        if named:
            # A name that would run into the one before it goes a line lower.
            near = k > 0 and start - starts[k - 1] < 0.25 * curves.end
            line = line + 1 if near else 0
            place = (start + 0.01 * curves.end, 0.985 - 0.07 * line)
            axes.text(
                *place, name, size=7, color=MUTED, va="top", transform=axes.get_xaxis_transform()
            )
    axes.plot(one.x, one.y, color=ACCENT, alpha=0.22, lw=0.8)
    axes.plot(one.x, one.smooth, color=ACCENT, lw=1.7, label="training")
    if len(one.val_x):
        axes.plot(one.val_x, one.val_y, "o-", color=SECOND, ms=4, lw=1.2, label="kept aside")
    positive = all((values > 0).all() for values in (one.y, one.val_y))
    axes.set_yscale("log" if log and positive else "linear")
    if not log:
        _frame_bulk(axes, one)
    axes.set_xlim(0, curves.end or 1)
    axes.set_title(one.title, loc="left", size=10, color=INK)
    if one.about:
        axes.set_ylabel(one.about, size=7, color=MUTED)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.tick_params(labelsize=8, colors=MUTED, length=3)
    axes.grid(axis="y", color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)
    if len(one.x) and len(one.val_x):
        axes.legend(frameon=False, fontsize=7, labelcolor=MUTED, loc="best")


def _frame_bulk(axes: Axes, one: Series) -> None:
    """Let a few outliers leave the panel, so that they do not flatten the rest."""
    low, high = frame(one)
    if high > low:
        axes.set_ylim(low, high)


def frame(one: Series) -> tuple[float, float]:
    """Range of y that holds the smooth line, the points and all but 2 % of the raw values."""
    if not len(one.y) + len(one.val_y):
        return 0.0, 1.0
    inner = np.quantile(one.y, [0.01, 0.99]) if len(one.y) else one.val_y
    known = np.concatenate([inner, one.smooth, one.val_y])
    low, high = float(known.min()), float(known.max())
    if high == low:
        return min(0.0, 2.0 * low), max(0.0, 2.0 * high) or 1.0
    pad = 0.06 * (high - low)
    return low - pad, high + pad


def _epoch_axis(axes: Axes, curves: StageCurves) -> None:
    rate = curves.epochs_per_image
    if rate <= 0:
        return
    top = axes.secondary_xaxis(
        "top", functions=(lambda images: images * rate, lambda epochs: epochs / rate)
    )
    top.set_xlabel("epochs", size=7, color=MUTED)
    top.tick_params(labelsize=7, colors=MUTED, length=2)
    top.spines["top"].set_color(FAINT)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
