"""Pictures from a model with chosen noise: the same number draws the same noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.model.records import Moment, Record

if TYPE_CHECKING:
    from torch import Tensor

    from latentbloom.conditions import Cond
    from latentbloom.diffusion import X0Denoiser
    from latentbloom.model.generator import Model


def ask(
    model: Model,
    asked: Sequence[Mapping[str, str]],
    indices: Sequence[int],
    *,
    seed: int = 0,
    guidance: float | None = None,
    num_steps: int | None = None,
    sampler: str | None = None,
    path: bool = False,
) -> list[Record]:
    """Make pictures whose conditions and noise are chosen each for itself.

    Arguments:
        model: The model.
        asked: What each picture shall show.
        indices: The number of each picture's noise; equal numbers, equal noise.
        seed: Seed of the request.
        guidance: Default as trained.
        num_steps: Default as trained.
        sampler: Default as trained.
        path: Keep all states on the way.

    Returns:
        A record for each, in order; the same as `model.sample` makes of seed and number.
    """
    from latentbloom.model.generator import CHUNK

    usual = model.config.sampling
    records: list[Record] = []
    for start in range(0, len(asked), CHUNK):
        rows, numbers = asked[start : start + CHUNK], indices[start : start + CHUNK]
        states = list(
            model.states(
                rows,
                numbers,
                seed,
                guidance=usual.guidance if guidance is None else guidance,
                num_steps=num_steps or usual.num_steps,
                sampler=sampler or usual.sampler,
            )
        )
        z = states[-1].x_t[: len(rows)]
        pixels = decode_pixels(model, z)
        kept = states if path else []
        for k, (words, number) in enumerate(zip(rows, numbers, strict=True)):
            moments = tuple(Moment(s.t, s.x_t[k].cpu(), s.x0_hat[k].cpu()) for s in kept)
            records.append(Record(pixels[k], dict(words), seed, number, z[k].cpu(), moments))
    return records


def guided(model: Model, guidance: float | Tensor | None = None) -> X0Denoiser:
    """The model's denoiser with guidance, a number or one a row (B,); default as trained."""
    usual = model.config.sampling.guidance
    return model.guided(usual if guidance is None else guidance)


def run_from(
    model: Model,
    denoiser: X0Denoiser,
    x_1: Tensor,
    asked: Sequence[Mapping[str, str]],
    *,
    seed: int = 0,
    num_steps: int | None = None,
) -> np.ndarray:
    """Pictures from noise that the caller has made.

    Arguments:
        model: The model.
        denoiser: Takes x_t to x0_hat.
        x_1: Standard normal noise (B, C, h, w).
        asked: What each shall show.
        seed: For solvers that add noise.
        num_steps: Default as trained.

    Returns:
        uint8 (B, H, W, C).
    """
    from latentbloom.diffusion import generators_for, sample

    z = sample(
        denoiser,
        x_1.to(model.device),
        cond_of(model, asked),
        sampler=model.config.sampling.sampler,
        num_steps=num_steps or model.config.sampling.num_steps,
        generators=generators_for(seed, range(len(asked))),
    )
    return decode_pixels(model, z)


def cond_of(model: Model, asked: Sequence[Mapping[str, str]]) -> Cond:
    """Words to indices, a LongTensor (B,) for each factor."""
    import torch

    rows = [model.spec.encode(words, 1) for words in asked]
    return {n: torch.cat([row[n] for row in rows]).to(model.device) for n in model.spec.names}


def decode_pixels(model: Model, z: Tensor) -> np.ndarray:
    """Latents (B, C, h, w) to uint8 (B, H, W, C)."""
    from latentbloom.data.pixels import to_uint8

    return to_uint8(model.decode(z)).permute(0, 2, 3, 1).cpu().numpy()


def pixels_of(records: Sequence[Record]) -> np.ndarray:
    """Their pictures as uint8 (N, H, W, C)."""
    return np.stack([record.image for record in records])
