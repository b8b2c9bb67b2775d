"""Curves of training, from metrics.jsonl alone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.figures.from_run_files.series import TITLES, frame, stage_curves
from latentbloom.figures.scene import MissingPiece, Scene
from latentbloom.pictures.images import save_picture
from latentbloom.pictures.palette import ACCENT, BAND, FAINT, INK, MUTED, SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from latentbloom.figures.from_run_files.series import Series, StageCurves

FILES = {
    "vae_gan": "autoencoder_losses.png",
    "diffusion": "diffusion_loss.png",
    "decoder": "decoder_losses.png",
}


def draw_curves(scene: Scene) -> list[Path]:
    """Draw the curves of each stage that has started."""
    from latentbloom.runs.metrics import read_metrics

    metrics = read_metrics(scene.run / "metrics.jsonl")
    paths = []
    for stage, file in FILES.items():
        if any(m.get("stage") == stage and m.get("kind") != "phase" for m in metrics):
            paths.append(loss_curves(metrics, stage, scene.figures / file, log=scene.log))
    if not paths:
        raise MissingPiece("there are no losses in metrics.jsonl yet")
    return paths


def loss_curves(
    metrics: Sequence[Mapping[str, Any]], stage: str, path: Path, *, log: bool | None = None
) -> Path:
    """Draw every loss and score of a stage in its own panel.

    Arguments:
        metrics: Records of metrics.jsonl.
        stage: "vae_gan", "diffusion" or "decoder".
        path: The PNG to write.
        log: Logarithmic or linear axes; None chooses for each panel.

    Raises:
        ValueError: There are no records of the stage.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = stage_curves(metrics, stage)
    if not curves.series:
        raise ValueError(f"metrics.jsonl has no losses of the stage '{stage}'.")
    n = len(curves.series)
    cols = 2 if n == 4 else min(3, n)
    rows = -(-n // cols)
    names = [name for name, _ in curves.phases]
    width, height = 4.6 * cols, 2.9 * rows + 0.5
    figure = Figure(figsize=(width, height), dpi=110)
    FigureCanvasAgg(figure)
    # Margins in inches, not `layout="constrained"`: that draws everything several times.
    below = 0.62 if len(names) > 1 else 0.35
    figure.subplots_adjust(
        left=0.7 / width, right=1 - 0.15 / width, top=1 - 1.1 / height, bottom=below / height,
        wspace=0.2, hspace=0.32,
    )  # fmt: skip
    title = f"{TITLES.get(stage, stage)}: losses and scores by number of pictures seen"
    figure.text(0.01, 1 - 0.3 / height, title, size=13, weight="bold", color=INK)
    if len(names) > 1:
        text = "Phases: " + ", ".join(f"{k} {name}" for k, name in enumerate(names, 1))
        figure.text(0.01, 0.12 / height, text, size=8.5, color=MUTED)
    for k, one in enumerate(curves.series):
        axes = figure.add_subplot(rows, cols, k + 1)
        _panel(axes, one, curves, log=one.log if log is None else log)
        if k < cols:
            _epoch_axis(axes, curves)

    figure.canvas.draw()  # type: ignore[union-attr]
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[union-attr]
    return save_picture(path, np.ascontiguousarray(pixels))


def _panel(axes: Axes, one: Series, curves: StageCurves, *, log: bool) -> None:
    from matplotlib.ticker import EngFormatter

    right = 1.015 * curves.end or 1.0  # the last dot is whole
    bounds = [*(start for _, start in curves.phases), right]
    for k, (start, stop) in enumerate(itertools.pairwise(bounds)):
        if k % 2:
            axes.axvspan(start, stop, color=BAND, lw=0, zorder=0)
        # Its number, where the phase is wide enough for one; the names are under the panels.
        if len(curves.phases) > 1 and stop - start > 0.02 * right:
            place = ((start + stop) / 2, 0.015)
            axes.text(
                *place,
                str(k + 1),
                size=7,
                color=MUTED,
                ha="center",
                transform=axes.get_xaxis_transform(),
            )
    if len(one.ramp):
        _warm_up(axes, one)
    axes.plot(one.x, one.y, color=ACCENT, alpha=0.22, lw=0.8)
    axes.plot(one.x, one.smooth, color=ACCENT, lw=1.7, label="training")
    if len(one.val_x):
        axes.plot(one.val_x, one.val_y, "o-", color=SECOND, ms=4, lw=1.2, label="held out")
    positive = all((values > 0).all() for values in (one.y, one.val_y))
    axes.set_yscale("log" if log and positive else "linear")
    if not log:
        _frame_bulk(axes, one)
    axes.set_xlim(0, right)
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
    if (len(one.x) and len(one.val_x)) or len(one.ramp):
        axes.legend(frameon=False, fontsize=7, labelcolor=MUTED, loc="best")


def _warm_up(axes: Axes, one: Series) -> None:
    """Draw the share of a loss's full weight, from the bottom of the panel to its top."""
    images, share = one.ramp.T
    axes.plot(
        images,
        share,
        color=MUTED,
        lw=1.0,
        ls=(0, (3, 2)),
        transform=axes.get_xaxis_transform(),
        label="weight, 0 to full",
        zorder=1,
    )


def _frame_bulk(axes: Axes, one: Series) -> None:
    """Cut off a few outliers, so that they do not flatten the rest."""
    low, high = frame(one)
    if high > low:
        axes.set_ylim(low, high)


def _epoch_axis(axes: Axes, curves: StageCurves) -> None:
    rate = curves.epochs_per_image
    if rate <= 0:
        return
    top = axes.secondary_xaxis(
        "top", functions=(lambda x: np.multiply(x, rate), lambda x: np.divide(x, rate))
    )
    top.set_xlabel("epochs", size=7, color=MUTED)
    top.tick_params(labelsize=7, colors=MUTED, length=2)
    top.spines["top"].set_color(FAINT)
