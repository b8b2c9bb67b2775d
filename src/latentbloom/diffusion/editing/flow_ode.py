"""The straight path between a latent and noise, in both directions.

    x_s = (1 - s) x0 + s eps,    dx/ds = v = (x_s - x0_hat) / s

s is 0 at the latent and 1 at pure noise. Euler steps on this line are DDIM's on any schedule.
"""

from __future__ import annotations

import torch
from torch import Tensor

from latentbloom.diffusion.denoiser import Cond, X0Denoiser
from latentbloom.diffusion.sampling import bridge


def noised(z: Tensor, eps: Tensor, s: float) -> Tensor:
    """x_s = (1 - s) z + s eps."""
    return (1 - s) * z + s * eps


@torch.no_grad()
def denoise_from(
    denoiser: X0Denoiser, x_s: Tensor, cond: Cond, *, s: float, num_steps: int
) -> Tensor:
    """Follow the path from s to 0, by DDIM.

    Arguments:
        denoiser: Takes x_t to x0_hat, guided or not.
        x_s: Points on the path (B, ...).
        cond: LongTensor (B,) for each factor.
        s: Where they are, in [0, 1]; at 0 they are returned as they are.
        num_steps: Even steps, one run of the denoiser each.

    Returns:
        Latents (B, ...).
    """
    if s <= 0:
        return x_s.clone()
    for i in range(num_steps):
        here, ratio = s * (1 - i / num_steps), 1 - 1 / (num_steps - i)
        x0_hat = _x0_hat(denoiser, x_s, cond, here)
        x_s = x0_hat + ratio * (x_s - x0_hat)
    return x_s


@torch.no_grad()
def invert(
    denoiser: X0Denoiser, z: Tensor, cond: Cond, *, s: float, num_steps: int, tries: int = 2
) -> Tensor:
    """Follow the path from a latent to s: the point that `denoise_from` takes back to it.

    A step needs the velocity at its far end, which is not known yet: that at the near end is the
    first guess, and fixed-point iterations improve it.

    Arguments:
        denoiser: Takes x_t to x0_hat.
        z: Latents (B, ...).
        cond: LongTensor (B,) for each factor: what they show.
        s: Where to end, in [0, 1].
        num_steps: Even steps.
        tries: Runs of the denoiser a step.

    Returns:
        Points x_s (B, ...).

    Source: Song et al., DDIM (arXiv:2010.02502), section 4.3; fixed point: Pan et al.
    (arXiv:2309.04907), eq. 8.
    """
    if s <= 0:
        return z.clone()
    x_s = z
    for i in range(num_steps):
        there, share = s * (i + 1) / num_steps, 1 / (i + 1)
        ahead = x_s
        for _ in range(tries):
            ahead = x_s + share * (ahead - _x0_hat(denoiser, ahead, cond, there))
        x_s = ahead
    return x_s


def slerp(first: Tensor, second: Tensor, shares: Tensor) -> Tensor:
    """Along the great circle from one noise to another.

        x(s) = sin((1 - s) a) / sin(a) x_0 + sin(s a) / sin(a) x_1,  a the angle between them.

    A straight line would pass through noise of too small a norm, which no denoiser is trained on.

    Arguments:
        first: (C, h, w).
        second: (C, h, w).
        shares: (S,), 0 is the first, 1 the second.

    Returns:
        (S, C, h, w).

    Source: Shoemake 1985, doi:10.1145/325334.325242.
    """
    cosine = torch.nn.functional.cosine_similarity(first.flatten(), second.flatten(), dim=0)
    angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
    s = shares.reshape(-1, *[1] * first.ndim)
    return (torch.sin((1 - s) * angle) * first + torch.sin(s * angle) * second) / torch.sin(angle)


def _x0_hat(denoiser: X0Denoiser, x_s: Tensor, cond: Cond, s: float) -> Tensor:
    t, scale = bridge(denoiser.schedule, 1 - s, s)
    times = torch.full((len(x_s),), t, dtype=x_s.dtype, device=x_s.device)
    return denoiser(scale * x_s, times, cond)
