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
    guided_from: float = 0.0,
    focus: float = 0.0,
) -> Tensor:
    """Move a latent along the difference of two velocities, that of the target and of the source.

    On the straight line x_s = (1 - s) z + s eps, with d the edit so far (0 at first),

        v_target(x_s + d) - v_source(x_s) = (d - Delta) / s,
        Delta = x0_target(x_s + d) - x0_source(x_s),

    so that a step from s to s' is d <- (s'/s) d + (1 - s'/s) Delta, Delta averaged over the noises
    and their negatives. Guidance w acts on the changed factors alone, and not at low noise, where
    it would sharpen what it finds there rather than change what the picture shows:

        Delta = x0(x_s + d, target) - x0(x_s, source)
                + (w - 1) (x0(x_s + d, target) - x0(x_s + d, source)).

    In the end, the change d_p at each place of the map is scaled by (|d_p| / max |d|)^focus: it
    stays where it is large.

    Equal conditions give Delta = 0 and the same latent, whatever the network is.

    Arguments:
        denoiser: Takes x_t to x0_hat, without guidance.
        z: One latent (C, h, w), normalised.
        source: What it shows: LongTensor (1,) for each factor.
        target: What it shall show, likewise.
        eps: Standard normal noises (N, C, h, w) to average over; each is used with both signs.
        strength: The time s to start from, in [0, 1]: 0 changes nothing, 1 starts from pure noise.
        num_steps: Steps from there to 0. The denoiser runs once a step, on 4 N rows, and with
            guidance on 6 N.
        guidance: w >= 0 for the factors that differ; 1 is none.
        guided_from: The time s below which there is no guidance, in [0, 1].
        focus: At least 0; 0 leaves the change as it is. Without effect on a latent of one place.

    Returns:
        The changed latent (C, h, w).

    Source: Kulikov et al., FlowEdit (arXiv:2412.08629), algorithm 1.
    """
    if strength <= 0 or all(bool((source[name] == target[name]).all()) for name in source):
        return z.clone()
    noise = torch.cat([eps, -eps]).to(z)
    d = torch.zeros_like(z)
    for i in range(num_steps):
        s, ratio = strength * (1 - i / num_steps), 1 - 1 / (num_steps - i)
        w = guidance if s >= guided_from else 1.0
        delta = _delta(denoiser, z, d, noise, s, (source, target), w)
        d = ratio * d + (1 - ratio) * delta
    return z + _focused(d, focus)


def _focused(d: Tensor, focus: float) -> Tensor:
    size = d.norm(dim=0, keepdim=True)  # (1, h, w)
    return d * (size / size.max().clamp(min=1e-12)) ** focus


def _delta(
    denoiser: X0Denoiser,
    z: Tensor,
    d: Tensor,
    noise: Tensor,
    s: float,
    conds: tuple[Cond, Cond],
    w: float,
) -> Tensor:
    """Delta (C, h, w) of `flow_edit`, averaged over noises (R, C, h, w)."""
    source, target = conds
    x_s = (1 - s) * z + s * noise
    asked = [(x_s + d, target), (x_s, source), *([(x_s + d, source)] if w != 1 else [])]
    rows = len(noise)
    cond = {name: torch.cat([c[name].expand(rows) for _, c in asked]) for name in source}
    t, scale = bridge(denoiser.schedule, 1 - s, s)
    x_t = scale * torch.cat([x for x, _ in asked])
    times = torch.full((len(x_t),), t, dtype=x_t.dtype, device=x_t.device)
    found = denoiser(x_t, times, cond).unflatten(0, (len(asked), rows)).mean(dim=1)
    delta = found[0] - found[1]
    return delta if w == 1 else delta + (w - 1) * (found[0] - found[2])
