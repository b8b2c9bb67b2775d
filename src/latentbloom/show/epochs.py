"""Figures of a model in training, after an epoch."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.show.draw import draw_scene
from latentbloom.show.scene import Scene

if TYPE_CHECKING:
    from latentbloom.coder import Coder
    from latentbloom.data.imageset import ImageSet
    from latentbloom.model import Model

KEPT = {"reconstructions": "vae_reconstruction", "latent_map": "vae_latent_space"}
"""Figures of stage 1 that are kept for each epoch, and the names that they are kept under."""


def draw_autoencoder_epoch(
    coder: Coder, train: ImageSet, val: ImageSet, run: Path, epoch: int
) -> list[Path]:
    """Reconstructions and latents with the epoch in their names, and the losses.

    Arguments:
        coder: The autoencoder as it is.
        train: Training pictures.
        val: Held-out pictures, may be empty.
        run: The run folder; the figures go to run/figures.
        epoch: Its number.

    Returns:
        `vae_reconstruction_epoch_N.png`, `vae_latent_space_epoch_N.png` and
        `autoencoder_losses.png`, as far as they could be drawn.
    """
    scene = Scene(run, coder, val, train)
    files = []
    for file in draw_scene(scene, ["reconstructions", "map", "curves"]):
        if file.stem in KEPT:
            kept = file.with_name(f"{KEPT[file.stem]}_epoch_{epoch}{file.suffix}")
            files.append(Path(shutil.copyfile(file, kept)))
        else:
            files.append(file)
    return files


def draw_diffusion_epoch(model: Model, train: ImageSet, val: ImageSet, run: Path) -> list[Path]:
    """Samples of each class, their ways from noise, still and moving, and the losses.

    Arguments:
        model: Both networks as they are.
        train: Training pictures.
        val: Held-out pictures, may be empty.
        run: The run folder; the figures go to run/figures, in place of older ones.

    Returns:
        The files.
    """
    scene = Scene(run, model, val, train)
    return draw_scene(scene, ["curves", "samples", "classes", "path", "animation"])
