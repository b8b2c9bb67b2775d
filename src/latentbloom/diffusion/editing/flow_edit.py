"""FlowEdit: change a condition of a picture without inverting it to noise."""

from __future__ import annotations

import torch
from torch import Tensor

from latentbloom.diffusion.denoiser import Cond, X0Denoiser
from latentbloom.diffusion.sampling import bridge


@torch.no_grad()
def flow_edit(
    denoiser: X0Denoiser,
    z: Tensor,
    source: Cond,
    target: Cond,
    *,
    eps: Tensor,
    strength: float,
    num_steps: int,
    guidance: float = 1.0,
) -> Tensor:
    """Move a latent along the difference of two velocities, that of the target and of the source.

    On the straight line x_s = (1 - s) z + s eps, with d the edit so far (0 at first),

        v_target(x_s + d) - v_source(x_s) = (d - Delta) / s,
        Delta = x0_target(x_s + d) - x0_source(x_s),

    so that a step from s to s' is d <- (s'/s) d + (1 - s'/s) Delta, Delta averaged over the noises
    and their negatives. Guidance w acts on the changed factors alone:

        Delta = x0(x_s + d, target) - x0(x_s, source)
                + (w - 1) (x0(x_s + d, target) - x0(x_s + d, source)).

    Equal conditions give Delta = 0 and the same latent, whatever the network is.

    Arguments:
        denoiser: Takes x_t to x0_hat, without guidance.
        z: One latent (C, h, w), normalised.
        source: What it shows: LongTensor (1,) for each factor.
        target: What it shall show, likewise.
        eps: Standard normal noises (N, C, h, w) to average over; each is used with both signs.
        strength: The time s to start from, in [0, 1]: 0 changes nothing, 1 starts from pure noise.
        num_steps: Steps from there to 0. The denoiser runs once a step, on 4 N or 6 N rows.
        guidance: w >= 0 for the factors that differ; 1 is none.

    Returns:
        The changed latent (C, h, w).

    Source: Kulikov et al., FlowEdit (arXiv:2412.08629), algorithm 1.
    """
    if strength <= 0 or all(bool((source[name] == target[name]).all()) for name in source):
        return z.clone()
    noise = torch.cat([eps, -eps]).to(z)
    n = len(noise)
    guided = guidance != 1
    parts = [target, source, source] if guided else [target, source]
    cond = {name: torch.cat([part[name].expand(n) for part in parts]) for name in source}
    d = torch.zeros_like(z)
    for i in range(num_steps):
        s, ratio = strength * (1 - i / num_steps), 1 - 1 / (num_steps - i)
        t, scale = bridge(denoiser.schedule, 1 - s, s)
        x_s = (1 - s) * z + s * noise  # (2 N, C, h, w)
        x_t = scale * torch.cat([x_s + d, x_s + d, x_s] if guided else [x_s + d, x_s])
        times = torch.full((len(x_t),), t, dtype=x_t.dtype, device=x_t.device)
        found = denoiser(x_t, times, cond).unflatten(0, (len(parts), n)).mean(dim=1)
        delta = found[0] - found[-1]
        if guided:
            delta = delta + (guidance - 1) * (found[0] - found[1])
        d = ratio * d + (1 - ratio) * delta
    return z + d
