"""Grids in which one thing changes: factors, guidance and steps, in-betweens."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.figures.scene import NotApplicable, Scene, phrase
from latentbloom.figures.sheets import make_sheet
from latentbloom.model.requests import ask, guided, pixels_of, run_from
from latentbloom.pictures.grids import picture_grid
from latentbloom.pictures.images import as_uint8, save_picture

if TYPE_CHECKING:
    from torch import Tensor

    from latentbloom.conditions import Cond, Factor
    from latentbloom.diffusion import X0Denoiser
    from latentbloom.diffusion.schedule import Schedule

GUIDANCE = (0.0, 1.0, 2.0, 4.0, 7.0)
STEPS = (2, 4, 8, 16, 32)
_EACH = 3  # pictures a cell of guidance by steps
BETWEEN = 8
_MOST_VALUES = 8
_MOST_PAIRS = 3


def draw_factors(scene: Scene) -> list[Path]:
    """For each pair of factors a grid of their values, all from the same noise."""
    model = scene.need_model()
    factors = [f for f in model.spec.factors if len(f.values) > 1]
    if len(factors) < 2:
        raise NotApplicable("the model has one condition; samples by condition show it")
    files = []
    for first, second in list(itertools.combinations(factors, 2))[:_MOST_PAIRS]:
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
    records = ask(scene.need_model(), asked, numbers, seed=scene.seed)
    labels = [phrase({down.name: value}) for value in rows]
    note = "Every picture of a block begins with the same noise: only the conditions change."
    if noises == 2:
        note = "Left and right halves begin with two noises; within a half only conditions change."
    name = f"factors_{down.name}_by_{across.name}"
    make_sheet(
        name,
        pixels_of(records),
        rows=labels,
        cols=len(heads),
        pictures=[{"cond": r.cond, "index": r.index, "seed": r.seed} for r in records],
        about={"note": note, "heads": heads, "title": f"{down.name} by {across.name}"},
    ).save(scene.run)
    grid = picture_grid(
        pixels_of(records),
        rows=len(rows),
        row_labels=labels,
        col_labels=heads,
        note=note,
        title=f"{down.name} by {across.name}",
    )
    return save_picture(scene.figures / f"{name}.png", grid)


def draw_guidance(scene: Scene) -> list[Path]:
    """Guidance down, steps across; three pictures a cell, the same noise everywhere."""
    import torch

    from latentbloom.diffusion import noise_for

    model = scene.need_model()
    words = scene.conditions()[-1]
    w = torch.tensor([g for g in GUIDANCE for _ in range(_EACH)])
    noise = noise_for(scene.seed, list(range(_EACH)), model.autoencoder.latent_shape)
    x_1 = noise.repeat(len(GUIDANCE), 1, 1, 1)
    cells = []
    for steps in STEPS:
        denoiser = guided(model, w.to(model.device))
        made = run_from(model, denoiser, x_1, [words] * len(w), seed=scene.seed, num_steps=steps)
        cells.append(as_uint8(made).reshape(len(GUIDANCE), _EACH, *made.shape[1:3], 3))
    table = np.stack(cells, axis=1)  # (guidance, steps, each, H, W, 3)
    # The pictures of a cell side by side make one wide tile.
    wide = np.concatenate([table[:, :, k] for k in range(_EACH)], axis=3)
    usual = model.config.sampling
    note = (
        f"“{phrase(words)}”, the same {_EACH} noises in every cell. Guidance 0 does not look at "
        f"the condition, 1 is plain. This model's own: {usual.guidance:g} and {usual.num_steps} "
        "steps."
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
        title="Guidance by steps",
        scale=max(1.0, 72 / model.size),
    )
    return [save_picture(scene.figures / "guidance_by_steps.png", grid)]


def slerp(first: Tensor, second: Tensor, shares: Tensor) -> Tensor:
    """Along the great circle from one noise to another.

        x(s) = sin((1 - s) a) / sin(a) x_0 + sin(s a) / sin(a) x_1,  a the angle between them.

    A straight line would pass through noise of too small a norm, which a denoiser never saw.

    Arguments:
        first: (C, h, w).
        second: (C, h, w).
        shares: (S,), 0 is the first, 1 the second.

    Returns:
        (S, C, h, w).

    Source: Shoemake 1985, doi:10.1145/325334.325242.
    """
    import torch

    cosine = torch.nn.functional.cosine_similarity(first.flatten(), second.flatten(), dim=0)
    angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
    s = shares.reshape(-1, *[1] * first.ndim)
    return (torch.sin((1 - s) * angle) * first + torch.sin(s * angle) * second) / torch.sin(angle)


class Blended:
    """A denoiser between two conditions: (1 - s) x0_hat(first) + s x0_hat(second), s a row."""

    def __init__(self, denoiser: X0Denoiser, other: Cond, shares: Tensor) -> None:
        self.denoiser = denoiser
        self.other = other
        self.shares = shares

    @property
    def schedule(self) -> Schedule:
        """That of the denoiser."""
        return self.denoiser.schedule

    def __call__(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat (B, ...)."""
        s = self.shares.to(x_t.dtype).reshape(-1, *[1] * (x_t.ndim - 1))
        first = self.denoiser(x_t, t, cond)
        return (1 - s) * first + s * self.denoiser(x_t, t, self.other)


def draw_interpolation(scene: Scene) -> list[Path]:
    """Between two seeds, and between two conditions from the same noise."""
    import torch

    from latentbloom.diffusion import noise_for
    from latentbloom.model.requests import cond_of

    model = scene.need_model()
    conditions = scene.conditions()
    shares = torch.linspace(0, 1, BETWEEN)
    noise = noise_for(scene.seed, [0, 1, 2, 3], model.autoencoder.latent_shape)
    rows, labels = [], []
    for k, words in enumerate(conditions[:2]):
        x_1 = slerp(noise[2 * k], noise[2 * k + 1], shares)
        rows.append(run_from(model, guided(model), x_1, [words] * BETWEEN, seed=scene.seed))
        labels.append(f"{phrase(words)}, between two seeds")
    for k, (first, second) in enumerate(_pairs(conditions)):
        other = cond_of(model, [second] * BETWEEN)
        between = Blended(guided(model), other, shares.to(model.device))
        x_1 = noise[k : k + 1].expand(BETWEEN, -1, -1, -1)
        rows.append(run_from(model, between, x_1, [first] * BETWEEN, seed=scene.seed))
        labels.append(f"{phrase(first)} to {phrase(second)}")
    note = (
        "Between two seeds the noise moves along a great circle. Between two conditions the "
        "noise stays, and the denoiser's two answers are mixed."
    )
    pixels = np.concatenate([as_uint8(row) for row in rows])
    make_sheet("interpolation", pixels, rows=labels, cols=BETWEEN, about={"note": note}).save(
        scene.run
    )
    grid = picture_grid(
        pixels, rows=len(rows), row_labels=labels, title="In between", note=note, gap=2
    )
    return [save_picture(scene.figures / "interpolation.png", grid)]


def _pairs(
    conditions: Sequence[Mapping[str, str]],
) -> list[tuple[Mapping[str, str], Mapping[str, str]]]:
    return list(itertools.pairwise(conditions))[:3] if len(conditions) > 1 else []
