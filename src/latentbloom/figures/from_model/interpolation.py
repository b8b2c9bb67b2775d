"""Interpolation between two seeds, and between two conditions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.figures.condition_words import phrase
from latentbloom.figures.scene import Scene
from latentbloom.figures.sheets import make_sheet
from latentbloom.pictures.grids import picture_grid
from latentbloom.pictures.images import as_uint8, save_picture

if TYPE_CHECKING:
    from torch import Tensor

    from latentbloom.conditions import Cond
    from latentbloom.diffusion import X0Denoiser
    from latentbloom.diffusion.schedule import Schedule
    from latentbloom.model.generator import Model
    from latentbloom.model.request import Request
    from latentbloom.pictures.images import Pixels

BETWEEN = 8


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
    """Interpolate between two seeds, and between two conditions from the same noise."""
    import torch

    from latentbloom.diffusion import noise_for
    from latentbloom.diffusion.editing import slerp
    from latentbloom.model.request import Request

    model = scene.need_model()
    conditions = scene.conditions()
    shares = torch.linspace(0, 1, BETWEEN)
    noise = noise_for(scene.seed, [0, 1, 2, 3], model.autoencoder.latent_shape)
    rows, labels = [], []
    for k, words in enumerate(conditions[:2]):
        x_1 = slerp(noise[2 * k], noise[2 * k + 1], shares)
        request = Request(words, BETWEEN, scene.seed)
        rows.append(pixels_from(model, request, x_1, model.guided()))
        labels.append(f"{phrase(words)}, between two seeds")
    for k, (first, second) in enumerate(_pairs(conditions)):
        other = Request(second, BETWEEN).cond(model.spec, model.device)
        between = Blended(model.guided(), other, shares.to(model.device))
        x_1 = noise[k : k + 1].expand(BETWEEN, -1, -1, -1)
        rows.append(pixels_from(model, Request(first, BETWEEN, scene.seed), x_1, between))
        labels.append(f"{phrase(first)} to {phrase(second)}")
    note = (
        "Between two seeds, the noise moves along a great circle. Between two conditions, the "
        "noise stays the same and the denoiser's two predictions are mixed."
    )
    pixels = np.concatenate(rows)
    make_sheet("interpolation", pixels, rows=labels, cols=BETWEEN, about={"note": note}).save(
        scene.run
    )
    grid = picture_grid(
        pixels, rows=len(rows), row_labels=labels, title="Interpolation", note=note, gap=2
    )
    return [save_picture(scene.figures / "interpolation.png", grid)]


def pixels_from(
    model: Model,
    request: Request,
    x_1: Tensor,
    denoiser: X0Denoiser,
    *,
    num_steps: int | None = None,
) -> Pixels:
    """Pictures (B, H, W, 3) that begin with the noise x_1 (B, C, h, w), under any denoiser."""
    from latentbloom.model.request import records_of

    states = model.states(request, x_1=x_1, denoiser=denoiser, num_steps=num_steps)
    return as_uint8(np.stack([r.image for r in records_of(request, states, model.decode)]))


def _pairs(
    conditions: Sequence[Mapping[str, str]],
) -> list[tuple[Mapping[str, str], Mapping[str, str]]]:
    return list(itertools.pairwise(conditions))[:3] if len(conditions) > 1 else []
