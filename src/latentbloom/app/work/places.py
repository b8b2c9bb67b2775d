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
    from latentbloom.conditions import Cond
    from latentbloom.model.autoencoder import AutoencoderModel
    from latentbloom.model.generator import Model

REFINE_FROM = 0.45
"""Time at which a blurred latent is noised before the denoiser takes it to a likely picture."""

MORPH_FROM = 0.8
_STEPS = 8


def decode_place(
    model: AutoencoderModel, atlas: Atlas, place: Place, amounts: Mapping[str, float], refine: bool
) -> np.ndarray:
    """The picture uint8 (H, W, C) at a place, moved along directions.

    Refined, it is noised to a middle time and denoised: likely under the model, and still near.
    """
    from latentbloom.diffusion import noise_for
    from latentbloom.diffusion.editing import denoise_from, noised

    z = atlas.tensor([atlas.moved(atlas.latent(place), amounts)])
    if refine:
        whole = _with_denoiser(model)
        # The same noise for every place, so that neighbours stay alike.
        eps = noise_for(0, [0], z.shape[1:], stream="places").to(model.device)
        x_s = noised(z.to(model.device), eps, REFINE_FROM)
        z = denoise_from(whole.denoiser, x_s, _open(whole, 1), s=REFINE_FROM, num_steps=_STEPS)
    return _pictures(model, z)[0]


def morph(
    model: AutoencoderModel,
    atlas: Atlas,
    ends: tuple[Place, Place],
    frames: int,
    refine: bool,
    check: Callable[[], None],
) -> np.ndarray:
    """Pictures uint8 (frames, H, W, C) between two latents.

    Unrefined, on the straight line between them. Refined, both are taken towards noise, and the
    line becomes a great circle there: no picture on it is an average of two.
    """
    import torch

    from latentbloom.diffusion.editing import denoise_from, invert, slerp

    pair = atlas.tensor([atlas.latent(place) for place in ends])
    shares = torch.linspace(0.0, 1.0, frames)
    if not refine:
        s = shares[:, None, None, None]
        return _pictures(model, (1 - s) * pair[0] + s * pair[1])
    whole = _with_denoiser(model)
    pair, shares = pair.to(model.device), shares.to(model.device)
    noisy = invert(whole.denoiser, pair, _open(whole, 2), s=MORPH_FROM, num_steps=_STEPS)
    check()
    x_s = slerp(noisy[0], noisy[1], shares)
    cond = _open(whole, frames)
    z = denoise_from(whole.denoiser, x_s, cond, s=MORPH_FROM, num_steps=_STEPS)
    check()
    return _pictures(model, z)


def _with_denoiser(model: AutoencoderModel) -> Model:
    from latentbloom.model.generator import Model

    if not isinstance(model, Model):
        raise RunFolderError("There is no denoiser yet, which sharpens pictures.")
    return model


def _open(model: Model, rows: int) -> Cond:
    """Conditions that leave everything open."""
    return {name: at.to(model.device) for name, at in model.spec.encode({}, rows).items()}


def _pictures(model: AutoencoderModel, z: torch.Tensor) -> np.ndarray:
    from latentbloom.data.pixels import to_uint8

    return to_uint8(model.decode(z.float().cpu())).permute(0, 2, 3, 1).numpy()
