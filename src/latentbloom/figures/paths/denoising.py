"""Denoising paths: as rows of pictures, and as lines on the latent map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.figures.maps.latent_map import legend_lines, scatter
from latentbloom.figures.maps.latent_points import plane_of, real_latents
from latentbloom.figures.paths.states import path_sampler, paths
from latentbloom.figures.scene import MissingPiece, Scene
from latentbloom.figures.sheets import make_sheet
from latentbloom.pictures.grids import picture_grid
from latentbloom.pictures.images import as_uint8, save_picture
from latentbloom.pictures.palette import INK, MUTED, SECOND

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from latentbloom.model.generator import Model
    from latentbloom.model.records import Moment, Records
    from latentbloom.pictures.images import Pixels

_IN_FIGURE = 3
_COLUMNS = 9


def draw_denoising_path(scene: Scene) -> list[Path]:
    """For each condition: x_t and x0_hat over the steps, and the path on the PCA map."""
    files = []
    for one in paths(scene):
        records = one.records[:_IN_FIGURE]
        top = _rows(scene, records, f"From noise to “{one.label}”")
        below = _path_map(scene, records, top.shape[1])
        sheet = top if below is None else np.concatenate([top, below])
        name = f"denoising_path_{scene.file_word(one.words)}.png"
        files.append(save_picture(scene.figures / name, sheet))
    _save_steps(scene)
    return files


def _rows(scene: Scene, records: Records, title: str) -> Pixels:
    model = scene.need_model()
    moments = records[0].path
    shown = np.unique(np.linspace(0, len(moments) - 1, _COLUMNS).round().astype(int)).tolist()
    rows, labels = [], []
    for number, record in enumerate(records):
        picked = [record.path[k] for k in shown]
        rows += [_decode(model, picked, "x_t"), _decode(model, picked, "x0_hat")]
        labels += [f"sample {number + 1}: x_t", "x0_hat"]
    heads = [_head(moments[k], k, len(moments) - 1) for k in shown]
    usual = model.config.sampling
    return picture_grid(
        np.concatenate(rows),
        rows=len(rows),
        row_labels=labels,
        col_labels=heads,
        title=title,
        scale=max(1, round(96 / model.size)),
        note="x_t: the noisy latent at that step. x0_hat: the denoiser's prediction of the final "
        "latent. Both are shown decoded. "
        f"{usual.num_steps} steps of {path_sampler(model)}, guidance {usual.guidance:g}.",
    )


def _head(moment: Moment, step: int, last: int) -> str:
    return f"step {step}\n" + (f"t = {moment.t:.2f}" if step < last else "picture")


def _decode(model: Model, moments: Sequence[Moment], what: str) -> Pixels:
    import torch

    z = torch.stack([getattr(moment, what) for moment in moments])
    return as_uint8(model.decode(z))


def _path_map(scene: Scene, records: Records, width: int) -> Pixels | None:
    """The paths of x_t on the PCA map; None where there are no real latents."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    try:
        real, which = real_latents(scene)
    except MissingPiece:
        return None
    plane = plane_of(scene)
    dpi = 100
    model = scene.need_model()
    factor = next((f for f in model.spec.factors if len(f.values) > 1), None)
    height = 0.42 * width / dpi + 0.15 * max(0, legend_lines(factor) - 1)
    figure = Figure(figsize=(width / dpi, height), dpi=dpi, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    column = None if factor is None else real.labels[:, model.spec.names.index(factor.name)]
    points = plane.transform(real.z)
    scatter(axes, points, factor, column, np.zeros(len(real.z), bool), faint=True)
    ways = [
        plane.transform(np.stack([m.x_t.flatten().float().numpy() for m in record.path]))
        for record in records
    ]
    # The longest path is shown in full.
    main = int(np.argmax([np.ptp(way, axis=0).sum() for way in ways]))
    for number, way in enumerate(ways):
        _draw_way(axes, way, main=number == main)
    first, last = _decode(model, [records[main].path[0], records[main].path[-1]], "x_t")
    span = np.concatenate([np.quantile(points, [0.06, 0.94], axis=0), *ways])
    low, high = span.min(0), span.max(0)
    pad = np.array([0.15, 0.1]) * (high - low)  # room for the two pictures
    axes.set_xlim(low[0] - pad[0], high[0] + pad[0])
    axes.set_ylim(low[1] - pad[1], high[1] + pad[1])
    side = 1 if ways[main][-1, 0] >= ways[main][0, 0] else -1
    _pin(axes, first, ways[main][0], -side)
    _pin(axes, last, ways[main][-1], side)
    axes.set_title(
        f"Path of x_t of sample {main + 1}, from ring to disc, on the PCA map of {which} pictures "
        "(thin lines: the other samples)",
        loc="left",
        size=9,
        color=MUTED,
    )
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    out = np.full((pixels.shape[0], width, 3), 255, np.uint8)
    out[:, : min(width, pixels.shape[1])] = pixels[:, :width]
    return out


def _pin(axes: Axes, pixels: Pixels, place: np.ndarray, side: int) -> None:
    """A picture beside a point, at its left (-1) or right (1), inside the frame."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    low, high = axes.get_ylim()
    rise = 22.0 if place[1] < low + 0.85 * (high - low) else -22.0
    picture = OffsetImage(pixels, zoom=52 / pixels.shape[0], interpolation="lanczos")
    box = AnnotationBbox(
        picture,
        (float(place[0]), float(place[1])),
        xybox=(62.0 * side, rise),
        boxcoords="offset points",
        pad=0.15,
        zorder=10,
        arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.8},
        bboxprops={"edgecolor": MUTED, "lw": 0.8},
    )
    axes.add_artist(box)


def _draw_way(axes: Axes, way: np.ndarray, *, main: bool) -> None:
    from matplotlib.collections import LineCollection

    parts = np.stack([way[:-1], way[1:]], axis=1)
    shades = np.linspace(0.25, 1.0, len(parts))
    colour = SECOND if main else INK
    lines = LineCollection(
        list(parts),
        colors=[colour] * len(parts),
        alpha=shades if main else 0.45 * shades,
        linewidths=2.2 if main else 1.1,
        zorder=6,
    )
    axes.add_collection(lines)
    axes.scatter(*way[0], s=46, facecolors="white", edgecolors=colour, lw=1.5, zorder=7)
    axes.scatter(*way[-1], s=46, color=colour, edgecolors="white", lw=1.2, zorder=8)
    if main:
        axes.scatter(*way[1:-1].T, s=9, color=colour, zorder=7)


def _save_steps(scene: Scene) -> None:
    """Save the first sample of each condition at every step, for the slider of the report."""
    model = scene.need_model()
    found = paths(scene)
    labels = [one.label for one in found]
    first = [one.records[0] for one in found]
    steps = len(first[0].path)
    times = [round(moment.t, 4) for moment in first[0].path]
    for what in ("x_t", "x0_hat"):
        pixels = np.concatenate([_decode(model, record.path, what) for record in first])
        make_sheet(f"denoising_{what}", pixels, rows=labels, cols=steps, about={"t": times}).save(
            scene.run
        )
