"""Grids in which one thing changes: factors, or guidance and the number of steps."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.figures.condition_words import phrase
from latentbloom.figures.from_model.interpolation import pixels_from
from latentbloom.figures.scene import NotApplicable, Scene
from latentbloom.figures.sheets import make_sheet
from latentbloom.pictures.grids import picture_grid
from latentbloom.pictures.images import save_picture
from latentbloom.storage.files import condition_word

if TYPE_CHECKING:
    from latentbloom.conditions import Factor

GUIDANCE = (0.0, 1.0, 2.0, 4.0, 7.0)
STEPS = (2, 4, 8, 16, 32)
_EACH = 3  # pictures a cell of guidance by steps
_MOST_VALUES = 8
_MOST_PAIRS = 3


def draw_factors(scene: Scene) -> list[Path]:
    """For up to three pairs of factors a grid of their values, all from the same noise."""
    model = scene.need_model()
    factors = [f for f in model.spec.factors if len(f.values) > 1]
    if len(factors) < 2:
        raise NotApplicable(
            "the model has fewer than two conditions; samples by condition show them"
        )
    files = []
    for first, second in itertools.islice(itertools.combinations(factors, 2), _MOST_PAIRS):
        # The longer factor runs down the page.
        down, across = sorted((first, second), key=lambda f: -len(f.values))
        files.append(_factor_grid(scene, down, across))
    return files


def _factor_grid(scene: Scene, down: Factor, across: Factor) -> Path:
    rows, cols = down.values[:_MOST_VALUES], across.values[:_MOST_VALUES]
    noises = 2 if len(cols) <= 4 else 1
    asked, numbers, heads = [], [], []
    for value in rows:
        for noise in range(noises):
            for other in cols:
                asked.append({down.name: value, across.name: other})
                numbers.append(noise)
    heads = [phrase({across.name: other}) for _ in range(noises) for other in cols]
    records = scene.need_model().sample(asked, indices=numbers, seed=scene.seed)
    labels = [phrase({down.name: value}) for value in rows]
    note = "All samples start from the same noise: only the conditions differ."
    if noises == 2:
        note = (
            "The left half starts from one noise, the right half from another; within a half, "
            "only the conditions differ."
        )
    name = _grid_name(down.name, across.name)
    make_sheet(
        name,
        records.pixels,
        rows=labels,
        cols=len(heads),
        pictures=[{"cond": r.cond, "index": r.index, "seed": r.seed} for r in records],
        about={"note": note, "heads": heads, "title": f"{down.name} by {across.name}"},
    ).save(scene.run)
    grid = picture_grid(
        records.pixels,
        rows=len(rows),
        row_labels=labels,
        col_labels=heads,
        note=note,
        title=f"{down.name} by {across.name}",
    )
    return save_picture(scene.figures / f"{name}.png", grid)


def _grid_name(down: str, across: str) -> str:
    """A name such as factors_smiling_by_glasses; with a hash where another pair could have it."""
    word = condition_word([f"factors_{down}_by_{across}"], most=100)
    if "_by_" not in down and "_by_" not in across:
        return word
    return f"{word}~{condition_word([down, '', across])[-10:]}"


def draw_guidance(scene: Scene) -> list[Path]:
    """Guidance down, number of steps across; three samples per cell, from the same noise."""
    import torch

    from latentbloom.diffusion import noise_for
    from latentbloom.model.request import Request

    model = scene.need_model()
    words = scene.conditions()[-1]
    w = torch.tensor([g for g in GUIDANCE for _ in range(_EACH)])
    noise = noise_for(scene.seed, list(range(_EACH)), model.autoencoder.latent_shape)
    x_1 = noise.repeat(len(GUIDANCE), 1, 1, 1)
    cells = []
    for steps in STEPS:
        request = Request(words, len(w), scene.seed)
        made = pixels_from(model, request, x_1, model.guided(w), num_steps=steps)
        cells.append(made.reshape(len(GUIDANCE), _EACH, *made.shape[1:]))
    table = np.stack(cells, axis=1)  # (guidance, steps, each, H, W, 3)
    # The samples of a cell, side by side, make one wide tile.
    wide = np.concatenate([table[:, :, k] for k in range(_EACH)], axis=3)
    usual = model.config.sampling
    note = (
        f"Samples of “{phrase(words)}”, from the same {_EACH} noises in every cell. Guidance 0 "
        f"ignores the condition, 1 is plain conditional sampling, more follows the condition more "
        f"closely. The default of this model: guidance {usual.guidance:g}, {usual.num_steps} steps."
    )
    labels = [f"guidance {g:g}" for g in GUIDANCE]
    heads = [f"{steps} steps" for steps in STEPS]
    tiles = wide.reshape(-1, *wide.shape[2:])
    make_sheet(
        "guidance_by_steps",
        tiles,
        rows=labels,
        cols=len(STEPS),
        about={"note": note, "heads": heads},
    ).save(scene.run)
    grid = picture_grid(
        tiles,
        rows=len(GUIDANCE),
        row_labels=labels,
        col_labels=heads,
        note=note,
        gap=8,
        title="Guidance by number of steps",
        scale=max(1.0, 72 / model.size),
    )
    return [save_picture(scene.figures / "guidance_by_steps.png", grid)]
