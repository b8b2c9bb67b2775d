"""Pictures of places on the map: one, moved along directions, or all the way between two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.errors import RunFolderError

if TYPE_CHECKING:
    import torch

    from latentbloom.app.work.asked import Place
    from latentbloom.app.work.atlas import Atlas
    from latentbloom.model.autoencoder import AutoencoderModel
    from latentbloom.model.generator import Model

REFINE_FROM = 0.45
"""Time at which a blurred latent is noised before the denoiser takes it to a likely picture."""

_STEPS = 8


def decode_place(
    model: AutoencoderModel, atlas: Atlas, place: Place, amounts: Mapping[str, float], refine: bool
) -> np.ndarray:
    """The picture uint8 (H, W, C) at a place, moved along directions."""
    z = atlas.tensor([atlas.moved(atlas.latent(place), amounts)])
    return _pictures(model, z, refine, lambda: None)[0]


def morph(
    model: AutoencoderModel,
    atlas: Atlas,
    ends: tuple[Place, Place],
    frames: int,
    refine: bool,
    check: Callable[[], None],
) -> np.ndarray:
    """Pictures uint8 (frames, H, W, C) on the straight line between two latents."""
    first, last = (atlas.latent(place) for place in ends)
    shares = np.linspace(0.0, 1.0, frames)
    return _pictures(
        model, atlas.tensor([(1 - s) * first + s * last for s in shares]), refine, check
    )


def _pictures(
    model: AutoencoderModel, z: torch.Tensor, refine: bool, check: Callable[[], None]
) -> np.ndarray:
    from latentbloom.data.pixels import to_uint8
    from latentbloom.model.generator import Model

    z = z.float()
    if refine:
        if not isinstance(model, Model):
            raise RunFolderError("There is no denoiser yet, which sharpens pictures.")
        z = refined(model, z, check)
    check()
    return to_uint8(model.decode(z)).permute(0, 2, 3, 1).numpy()


def refined(model: Model, z: torch.Tensor, check: Callable[[], None]) -> torch.Tensor:
    """Latents that are likely under the model, near given ones (SDEdit, deterministic steps).

    x_t = alpha_t z + sigma_t eps, then DDIM steps to t = 0.

    All rows get the same noise, so that neighbours stay alike.

    Source: Meng et al. 2022, arXiv:2108.01073.
    """
    import torch

    from latentbloom.diffusion import noise_for

    denoiser = model.denoiser
    cond = model.spec.encode({}, len(z))
    cond = {name: rows.to(model.device) for name, rows in cond.items()}
    times = torch.linspace(REFINE_FROM, 0.0, _STEPS + 1).tolist()
    levels = [tuple(float(v) for v in denoiser.schedule(torch.tensor(t))) for t in times]
    alpha, sigma = levels[0]
    eps = noise_for(0, [0], z.shape[1:]).to(model.device)
    x_t = alpha * z.to(model.device) + sigma * eps
    with torch.no_grad():
        for step in range(_STEPS):
            check()
            alpha, sigma = levels[step]
            rows = torch.full((len(x_t),), times[step], device=model.device)
            x0_hat = denoiser(x_t, rows, cond)
            eps_hat = (x_t - alpha * x0_hat) / sigma
            alpha, sigma = levels[step + 1]
            x_t = alpha * x0_hat + sigma * eps_hat
    return x_t.float().cpu()
