"""Pictures between two real pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentbloom.diffusion.editing import denoise_from, invert, slerp

if TYPE_CHECKING:
    from latentbloom.model.latent_model import LatentModel

TIME = 0.8
STEPS = 16


def morph(model: LatentModel, pair: Tensor, steps: int) -> Tensor:
    """Pictures between two real ones, through noise.

    Both latents are inverted to a middle time without a condition. There the points move along a
    great circle, and each is denoised: a straight line between the latents would pass through
    blurred averages. What inversion and decoding lose of the two pictures is mixed in by share, so
    that the ends are the pictures themselves.

    Arguments:
        model: The model.
        pair: Two pictures (2, C, H, W) in [-1, 1].
        steps: How many pictures, both ends included.

    Returns:
        Pictures (steps, C, H, W) in [-1, 1].
    """
    z = model.encode(pair).mean.to(model.device)
    shares = torch.linspace(0, 1, steps)

    def open_cond(rows: int) -> dict[str, Tensor]:
        return {k: v.to(model.device) for k, v in model.spec.encode({}, rows).items()}

    noisy = invert(model.denoiser, z, open_cond(2), s=TIME, num_steps=STEPS)
    x_s = slerp(noisy[0], noisy[1], shares.to(model.device))
    between = denoise_from(model.denoiser, x_s, open_cond(steps), s=TIME, num_steps=STEPS)
    decoded = model.decode(between.float().cpu())
    share = shares[:, None, None, None]
    first, last = pair[0] - decoded[0], pair[1] - decoded[-1]
    return (decoded + (1 - share) * first + share * last).clamp(-1, 1)
