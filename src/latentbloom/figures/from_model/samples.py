"""Samples by condition, samples of each class, and noise decoded without the denoiser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.figures.condition_words import condition_rows, phrase
from latentbloom.figures.paths.states import path_sampler, paths
from latentbloom.figures.scene import Scene, need_latents
from latentbloom.figures.sheets import make_sheet
from latentbloom.pictures.grids import picture_grid
from latentbloom.pictures.images import as_uint8, save_picture

if TYPE_CHECKING:
    from latentbloom.model.records import Records

COLUMNS = 8
PRIOR = 8


def draw_samples(scene: Scene) -> list[Path]:
    """A row of samples per condition; the samples of a column start from the same noise."""
    model = scene.need_model()
    conditions, left_out = condition_rows(model.spec)
    if scene.words:
        conditions, left_out = [dict(scene.words)], ""
    asked = [words for words in conditions for _ in range(COLUMNS)]
    records = model.sample(asked, indices=list(range(COLUMNS)) * len(conditions), seed=scene.seed)
    labels = [phrase(words) for words in conditions]
    usual = model.config.sampling
    note = (
        f"{usual.num_steps} steps of {records.settings['sampler']}, guidance {usual.guidance:g}. "
        f"The samples of a column start from the same noise: only the condition differs. "
        f"{left_out}".strip()
    )
    grid = picture_grid(
        records.pixels,
        rows=len(conditions),
        row_labels=labels,
        title="Samples by condition",
        note=note,
    )
    known = [{"cond": r.cond, "seed": r.seed, "index": r.index} for r in records]
    make_sheet(
        "samples_by_condition",
        records.pixels,
        rows=labels,
        cols=COLUMNS,
        pictures=known,
        about={"note": note},
    ).save(scene.run)
    return [save_picture(scene.figures / "samples_by_condition.png", grid)]


def draw_classes(scene: Scene) -> list[Path]:
    """`sample_class_<class>.png` for each condition, and `vae_samples_grid_subset.png`."""
    found = paths(scene)
    model = scene.need_model()
    usual = model.config.sampling
    how = f"{usual.num_steps} steps of {path_sampler(model)}, guidance {usual.guidance:g}."
    files = []
    for one in found:
        grid = picture_grid(one.records.pixels, rows=1, title=f"Samples of “{one.label}”", note=how)
        name = f"sample_class_{scene.file_word(one.words)}.png"
        files.append(save_picture(scene.figures / name, grid))
    rows = [(one.label, one.records) for one in found]
    return [*files, save_class_grid(rows, scene.figures, how)]


def save_class_grid(found: Sequence[tuple[str, Records]], folder: Path, note: str = "") -> Path:
    """Write vae_samples_grid_subset.png, with a row of samples per class.

    Arguments:
        found: Labels of classes and their samples, equally many of each, from the same noise.
        folder: The folder of the file.
        note: A further sentence under the grid.
    """
    grid = picture_grid(
        np.concatenate([as_uint8(records.pixels) for _, records in found]),
        rows=len(found),
        row_labels=[label for label, _ in found],
        title="Samples by class",
        note=f"The samples of a column start from the same noise. {note}".strip(),
    )
    return save_picture(folder / "vae_samples_grid_subset.png", grid)


def draw_prior(scene: Scene) -> list[Path]:
    """Random latents decoded directly, above samples that start from the same noise."""
    import torch

    from latentbloom.diffusion import noise_for

    model = scene.need_model()
    need_latents(model)  # bare noise is no news
    z = noise_for(scene.seed, list(range(PRIOR)), model.autoencoder.latent_shape)
    bare = as_uint8(model.decode(z.to(torch.float32)))
    records = model.sample(n=PRIOR, seed=scene.seed, guidance=1.0)
    note = (
        "Top: random latents, decoded directly. They do not look like real pictures, and are not "
        "meant to: real latents fill only a small part of the latent space. Bottom: the diffusion "
        "model starts from the same noise and moves it into that part."
    )
    rows = ["decoded noise", "denoised, then decoded"]
    both = np.concatenate([bare, as_uint8(records.pixels)])
    grid = picture_grid(
        both, rows=2, row_labels=rows, title="Noise without and with the diffusion model", note=note
    )
    make_sheet("prior_samples", both, rows=rows, cols=PRIOR, about={"note": note}).save(scene.run)
    return [save_picture(scene.figures / "prior_samples.png", grid)]
