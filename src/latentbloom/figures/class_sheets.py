"""Samples of each class for itself, and of all classes in one grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.figures.denoising import file_word, paths
from latentbloom.figures.scene import Scene
from latentbloom.model.requests import pixels_of
from latentbloom.pictures.grids import picture_grid
from latentbloom.pictures.images import save_picture

if TYPE_CHECKING:
    from latentbloom.model.records import Record


def draw_classes(scene: Scene) -> list[Path]:
    """`sample_class_<class>.png` for each condition, and `vae_samples_grid_subset.png`."""
    found = paths(scene)
    usual = scene.need_model().config.sampling
    how = f"{usual.num_steps} steps of {usual.sampler}, guidance {usual.guidance:g}."
    files = []
    for label, records in found.items():
        grid = picture_grid(pixels_of(records), rows=1, title=f"Samples of “{label}”", note=how)
        name = f"sample_class_{file_word(label)}.png"
        files.append(save_picture(scene.figures / name, grid))
    return [*files, save_class_grid(found, scene.figures, how)]


def save_class_grid(found: Mapping[str, Sequence[Record]], folder: Path, note: str = "") -> Path:
    """A row of samples a class, as vae_samples_grid_subset.png.

    Arguments:
        found: Samples by class, as many of each, from the same noise.
        folder: Where the file goes.
        note: What else is to be said of them.
    """
    grid = picture_grid(
        np.concatenate([pixels_of(records) for records in found.values()]),
        rows=len(found),
        row_labels=list(found),
        title="Samples by class",
        note=f"A column begins with the same noise. {note}".strip(),
    )
    return save_picture(folder / "vae_samples_grid_subset.png", grid)
