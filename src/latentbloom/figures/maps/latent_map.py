"""The latent map: latents of real pictures and of samples in two dimensions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.figures.condition_words import phrase
from latentbloom.figures.maps.latent_points import generated_latents, plane_of, real_latents
from latentbloom.figures.maps.projection import class_centres, tsne
from latentbloom.figures.scene import MissingPiece, Scene
from latentbloom.figures.sheets import make_sheet
from latentbloom.pictures.fonts import drawable, one_line
from latentbloom.pictures.images import save_picture
from latentbloom.pictures.palette import FAINT, INK, MUTED, PAPER, class_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from latentbloom.conditions import Factor
    from latentbloom.figures.maps.projection import Numbers
    from latentbloom.pictures.images import Pixels

_MOST_FACTORS = 3
MOST_NAMED = 20
"""Factors with more values get no class centres."""


def draw_latent_map(scene: Scene) -> list[Path]:
    """Draw PCA and t-SNE of real and sampled latents, coloured by each factor."""
    real, which = real_latents(scene)
    model = scene.need_autoencoder()
    try:
        made = generated_latents(scene)
    except MissingPiece:  # before stage 2
        made = real[:0]
    plane = plane_of(scene)
    z = np.concatenate([real.z, made.z])
    labels = np.concatenate([real.labels, made.labels])
    generated = np.arange(len(z)) >= len(real)
    maps = {"PCA": plane.transform(z), "t-SNE": tsne(z, seed=scene.seed)}
    factors = [f for f in model.spec.factors if len(f.values) > 1]
    rings = f" and {len(made)} samples (rings)" if len(made) else ""
    share = plane.explained_variance_ratio_.sum()
    note = (
        f"{len(real):,} {which} pictures (dots){rings}. PCA shows {share:.0%} of the variance of "
        f"{z.shape[1]} dimensions. t-SNE keeps neighbours together; the distances between its "
        "groups mean little."
    )
    _save_sheet(scene, maps, labels, generated, np.concatenate([real.thumbs, made.thumbs]), note)
    path = scene.figures / "latent_map.png"
    return [_figure(path, maps, factors[:_MOST_FACTORS], model.spec.names, labels, generated, note)]


def _figure(
    path: Path,
    maps: Mapping[str, Numbers],
    factors: Sequence[Factor],
    names: Sequence[str],
    labels: np.ndarray,
    generated: np.ndarray,
    note: str,
) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = max(1, len(factors))
    figure = Figure(figsize=(12.0, 5.6 * rows + 0.7), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(
        "Latents in two dimensions", x=0.01, ha="left", size=14, weight="bold", color=INK
    )
    figure.supxlabel(note, x=0.01, ha="left", size=8.5, color=MUTED, wrap=True)
    for r in range(rows):
        factor = factors[r] if factors else None
        column = None if factor is None else labels[:, list(names).index(factor.name)]
        for c, (title, points) in enumerate(maps.items()):
            axes = figure.add_subplot(rows, len(maps), r * len(maps) + c + 1)
            scatter(axes, points, factor, column, generated)
            axes.set_title(
                title + (f", by {one_line(factor.name)}" if factor else ""),
                loc="left",
                size=10,
                color=INK,
            )
    canvas.draw()
    return save_picture(path, np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))


def scatter(
    axes: Axes,
    points: Numbers,
    factor: Factor | None,
    column: np.ndarray | None,
    generated: np.ndarray,
    *,
    faint: bool = False,
) -> None:
    """Draw dots for real latents, rings for samples, and a name at each class's centre."""
    values = factor.values if factor is not None else ()
    colours = class_colours(values or ("",))
    shown: np.ndarray = np.zeros(len(points), int) if column is None else column
    size = 11 if len(points) < 800 else 7
    for k in range(-1, max(1, len(values))):
        # Those without a known value come first, in grey.
        mine = (shown == k) if k >= 0 else (shown >= max(1, len(values)))
        colour = colours[k] if k >= 0 else FAINT
        dots, rings = points[mine & ~generated], points[mine & generated]
        axes.scatter(*dots.T, s=size, color=colour, lw=0, alpha=0.32 if faint else 0.45)
        axes.scatter(*rings.T, s=26, facecolors="none", edgecolors=colour, lw=1.1)
    if factor is not None and 1 < len(values) <= MOST_NAMED:
        _name_centres(axes, points[~generated], factor, colours, shown[~generated])
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(FAINT)


def legend_lines(factor: Factor | None) -> int:
    """How many lines the names of a factor's values take where they do not fit at the centres."""
    if factor is None or not 1 < len(factor.values) <= MOST_NAMED:
        return 0
    words = [_short_name(factor, k) for k in range(len(factor.values))]
    return -(-len(words) // _columns(words))


def _short_name(factor: Factor, index: int) -> str:
    return one_line(drawable(phrase({factor.name: factor.values[index]})), 24)


def _columns(words: Collection[str]) -> int:
    """Columns of a legend: as many as fit beside each other, at most 7."""
    return max(1, min(len(words), 7, 60 // (4 + max(map(len, words)))))


def _name_centres(
    axes: Axes,
    points: Numbers,
    factor: Factor,
    colours: Sequence[str],
    column: np.ndarray,
) -> None:
    known = class_centres(points, column, len(factor.values))
    if not known:
        return
    centres = np.array(list(known.values()))
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1) + 1e9 * np.eye(len(known))
    words = {k: _short_name(factor, k) for k in known}
    # Names at the centres where there is room for them, else in a corner.
    longest = max(map(len, words.values()))
    roomy = bool(apart.min() > 0.09 * max(1.0, longest / 12) * np.ptp(points, axis=0).max())
    for k, (x, y) in known.items():
        word = words[k]
        # matplotlib leaves out labels that begin with an underscore.
        label = f" {word}" if word.startswith("_") else word
        axes.scatter(
            [x], [y], s=70, color=colours[k], edgecolors=PAPER, lw=1.6, zorder=4, label=label
        )
        if roomy:
            axes.annotate(
                word,
                (x, y),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                size=9,
                color=INK,
                zorder=5,
                bbox={"boxstyle": "round,pad=0.2", "fc": PAPER, "ec": "none", "alpha": 0.8},
            )
    if not roomy:
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(0.0, -0.005),
            ncols=_columns(words.values()),
            fontsize=8,
            frameon=False,
            labelcolor=INK,
            markerscale=0.8,
            columnspacing=1.2,
            handletextpad=0.2,
        )


def _save_sheet(
    scene: Scene,
    maps: Mapping[str, Numbers],
    labels: np.ndarray,
    generated: np.ndarray,
    thumbs: Pixels,
    note: str,
) -> None:
    spec = scene.need_autoencoder().spec
    about = {
        "maps": {name: _thousandths(points) for name, points in maps.items()},
        "factors": [
            {"name": f.name, "values": list(f.values), "of": labels[:, k].tolist()}
            for k, f in enumerate(spec.factors)
        ],
        "generated": int(generated.sum()),
        "note": note,
    }
    make_sheet("latent_map", thumbs, rows=(), cols=40, about=about).save(scene.run)


def _thousandths(points: Numbers) -> list[list[int]]:
    """Coordinates as whole numbers, the middle 99.5 % of the longer side filling 0 to 1000."""
    low, high = np.quantile(points, [0.0025, 0.9975], axis=0)
    span = max(float((high - low).max()), 1e-9)
    middle = (low + high) / 2
    scaled = 500 + 960 * (points - middle) / span
    return scaled.clip(0, 1000).round().astype(int).tolist()
