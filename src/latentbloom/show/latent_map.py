"""Where pictures lie among the latents: real ones, and generated ones laid over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.show.asking import ask, pixels_of
from latentbloom.show.palette import FAINT, INK, MUTED, PAPER, class_colours
from latentbloom.show.pictures import as_uint8, enlarge, save_picture
from latentbloom.show.projection import Plane, principal_plane, tsne
from latentbloom.show.scene import MissingPiece, Scene, float_images, spread_indices
from latentbloom.show.sheets import make_sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from latentbloom.data.conditions import Factor
    from latentbloom.show.pictures import Pixels
    from latentbloom.show.projection import Numbers

MOST_REAL = 1500
GENERATED = 160
FEWEST = 16
THUMB = 32
_MOST_FACTORS = 3
_MOST_NAMED = 20


@dataclass(frozen=True)
class LatentPoints:
    """Latents with what is known of them.

    Attributes:
        z: float32 (N, D), normalised and flat.
        labels: int (N, F): an index a factor.
        thumbs: uint8 (N, 32, 32, 3).
    """

    z: Numbers
    labels: np.ndarray
    thumbs: Pixels


def real_latents(scene: Scene) -> tuple[LatentPoints, str]:
    """Latents of pictures kept aside, else of training pictures; and which.

    Where the pictures cannot be read any more, the latents that training has cached serve, and
    what they decode to.

    Raises:
        MissingPiece: There are too few of both.
    """
    if "real_latents" not in scene.memory:
        try:
            scene.memory["real_latents"] = _encoded(scene)
        except MissingPiece:
            scene.memory["real_latents"] = _cached(scene)
    return scene.memory["real_latents"]


def _encoded(scene: Scene) -> tuple[LatentPoints, str]:
    model = scene.need_model()
    images, which = scene.real(FEWEST)
    indices = spread_indices(len(images), MOST_REAL, scene.seed)
    z, thumbs = [], []
    for start in range(0, len(indices), 256):
        x = float_images(images, indices[start : start + 256])
        z.append(model.encode(x).mean.flatten(1).numpy())
        thumbs.append(_small(as_uint8(x)))
    labels = images.labels[np.asarray(indices)]
    return LatentPoints(np.concatenate(z), labels, np.concatenate(thumbs)), which


def _cached(scene: Scene) -> tuple[LatentPoints, str]:
    import torch

    from latentbloom.data.latents import LatentCache
    from latentbloom.errors import RunFolderError

    model = scene.need_model()
    for split, which in (("val", "kept aside"), ("train", "trained on")):
        folder = scene.run / "latents" / split
        try:
            cache = LatentCache(folder)
        except (RunFolderError, OSError):
            continue
        if len(cache) < FEWEST:
            continue
        indices = spread_indices(len(cache), MOST_REAL, scene.seed)
        mean, _ = cache.posterior(indices)
        decoded = torch.cat([model.decode(part) for part in mean.split(64)])
        cond = cache.cond(model.spec, indices)
        labels = [cond[name].numpy() for name in model.spec.names]
        thumbs = _small(as_uint8(decoded))
        table = np.stack(labels, axis=1) if labels else np.zeros((len(indices), 0), int)
        return LatentPoints(mean.flatten(1).numpy(), table, thumbs), which
    raise MissingPiece(
        f"neither pictures nor cached latents can be read; {FEWEST} of them are needed"
    )


def generated_latents(scene: Scene) -> LatentPoints:
    """Latents of samples, as many of each condition."""
    if "generated_latents" not in scene.memory:
        model = scene.need_model()
        conditions = scene.conditions()
        each = max(4, GENERATED // len(conditions))
        asked = [words for words in conditions for _ in range(each)]
        records = ask(model, asked, list(range(len(asked))), seed=scene.seed)
        factors = model.spec.factors
        labels = [[f.index(r.cond.get(f.name, "any")) for f in factors] for r in records]
        z = np.stack([r.z.flatten().float().numpy() for r in records])
        scene.memory["generated_latents"] = LatentPoints(
            z, np.array(labels, int).reshape(len(records), len(factors)),
            _small(as_uint8(pixels_of(records))),
        )
    return scene.memory["generated_latents"]


def plane_of(scene: Scene) -> Plane:
    """The principal plane of the real latents."""
    if "plane" not in scene.memory:
        scene.memory["plane"] = principal_plane(real_latents(scene)[0].z)
    return scene.memory["plane"]


def draw_latent_map(scene: Scene) -> list[Path]:
    """PCA and t-SNE of the real latents with the generated ones, coloured by each factor."""
    real, which = real_latents(scene)
    model = scene.need_model()
    made = generated_latents(scene)
    plane = plane_of(scene)
    z = np.concatenate([real.z, made.z])
    labels = np.concatenate([real.labels, made.labels])
    generated = np.arange(len(z)) >= len(real.z)
    maps = {"PCA": plane(z), "t-SNE": tsne(z, seed=scene.seed)}
    factors = [f for f in model.spec.factors if len(f.values) > 1]
    note = (
        f"{len(real.z):,} pictures {which} (dots) and {len(made.z)} samples (rings). PCA shows "
        f"{sum(plane.share):.0%} of the variance of {z.shape[1]} numbers. t-SNE keeps "
        "neighbours together; its distances between groups say little."
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
    figure.suptitle("Latents in two dimensions", x=0.01, ha="left", size=14, weight="bold",
                    color=INK)
    figure.supxlabel(note, x=0.01, ha="left", size=8.5, color=MUTED, wrap=True)
    for r in range(rows):
        factor = factors[r] if factors else None
        column = None if factor is None else labels[:, list(names).index(factor.name)]
        for c, (title, points) in enumerate(maps.items()):
            axes = figure.add_subplot(rows, len(maps), r * len(maps) + c + 1)
            scatter(axes, points, factor, column, generated)
            axes.set_title(
                title + (f", by {factor.name}" if factor else ""), loc="left", size=10, color=INK
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
    """Dots for real latents, rings for generated ones, a name at each class's centre."""
    values = factor.values if factor is not None else ()
    colours = class_colours(max(1, len(values)))
    shown: np.ndarray = np.zeros(len(points), int) if column is None else column
    size = 11 if len(points) < 800 else 7
    for k in range(-1, max(1, len(values))):
        # Those whose value is not known come first and in grey.
        mine = (shown == k) if k >= 0 else (shown >= max(1, len(values)))
        colour = colours[k] if k >= 0 else FAINT
        dots, rings = points[mine & ~generated], points[mine & generated]
        axes.scatter(*dots.T, s=size, color=colour, lw=0, alpha=0.18 if faint else 0.45)
        axes.scatter(*rings.T, s=26, facecolors="none", edgecolors=colour, lw=1.1)
    if 1 < len(values) <= _MOST_NAMED:
        _name_centres(axes, points, values, colours, shown, generated)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(FAINT)


def _name_centres(
    axes: Axes,
    points: Numbers,
    values: Sequence[str],
    colours: Sequence[str],
    column: np.ndarray,
    generated: np.ndarray,
) -> None:
    groups = [points[(column == k) & ~generated] for k in range(len(values))]
    known = [k for k, group in enumerate(groups) if len(group)]
    if not known:
        return
    centres = np.array([np.median(groups[k], axis=0) for k in known])
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1) + 1e9 * np.eye(len(known))
    # Names at the centres where there is room for them, else in a corner.
    roomy = bool(apart.min() > 0.09 * np.ptp(points, axis=0).max())
    for k, (x, y) in zip(known, centres, strict=True):
        axes.scatter(
            [x], [y], s=70, color=colours[k], edgecolors=PAPER, lw=1.6, zorder=4, label=values[k]
        )
        if roomy:
            axes.annotate(
                values[k], (x, y), xytext=(0, 9), textcoords="offset points", ha="center", size=9,
                color=INK, zorder=5,
                bbox={"boxstyle": "round,pad=0.2", "fc": PAPER, "ec": "none", "alpha": 0.8},
            )
    if not roomy:
        axes.legend(
            title="class centres", loc="upper left", fontsize=8, title_fontsize=8, frameon=True,
            edgecolor=FAINT, labelcolor=INK, markerscale=0.8, ncols=1 + len(known) // 11,
        )


def _small(pixels: Pixels) -> Pixels:
    return enlarge(pixels, THUMB / max(pixels.shape[1:3]))


def _save_sheet(
    scene: Scene,
    maps: Mapping[str, Numbers],
    labels: np.ndarray,
    generated: np.ndarray,
    thumbs: Pixels,
    note: str,
) -> None:
    spec = scene.need_model().spec
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
