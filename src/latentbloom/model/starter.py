"""The starter: weights inside the package, from which both stages start.

They were trained on photographs that are free to use, random shapes and the program's own rendered
pictures (`bench/starter.py` makes and trains them; docs/explanation/starter.md names them). Fresh
networks spend their first minutes on edges and colours, and on how places of a latent go together;
these know.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from latentbloom.config import AutoencoderConfig, DenoiserConfig, DiffusionSettings, RunConfig
from latentbloom.model.carried import Carried, carry_autoencoder, carry_denoiser
from latentbloom.model.described import described
from latentbloom.model.warm_start import OBJECTIVE
from latentbloom.runs.checkpoint import load_checkpoint

STARTER = Path(__file__).resolve().parent.parent / "starter_autoencoder"
"""A checkpoint of data files, in half precision."""

STARTER_DENOISER = STARTER.with_name("starter_denoiser")
"""Another, of the denoiser of its latents, without conditions; see `compressed`."""

SCALE = ".scale"
UNASKED = "unasked"
"""The row of the table of conditions for a picture of which nothing is asked."""


def starter_suits(config: AutoencoderConfig) -> bool:
    """Whether an autoencoder has the starter's shape.

    Sizes and channels of pictures may differ, and so may channels of latents: those that the
    starter has not are fresh.
    """
    _, meta = load_checkpoint(STARTER, [])
    known = described(AutoencoderConfig, meta, "config", STARTER)
    free = {name: getattr(config, name) for name in ("size", "channels", "latent_channels")}
    return config == known.model_copy(update=free)


def denoiser_suits(config: RunConfig) -> bool:
    """Whether a run's denoiser has the starter's shape and objective, and its autoencoder, too."""
    _, meta = load_checkpoint(STARTER_DENOISER, [])
    known = described(DenoiserConfig, meta, "config", STARTER_DENOISER)
    settings = described(DiffusionSettings, meta, "settings", STARTER_DENOISER)
    same = all(getattr(config.diffusion, name) == getattr(settings, name) for name in OBJECTIVE)
    autoencoder = config.autoencoder
    fits = autoencoder is not None and starter_suits(autoencoder)
    return fits and same and config.denoiser == known


def start_from_starter(autoencoder: nn.Module) -> Carried:
    """Copy the starter's weights into a fresh autoencoder of its shape."""
    tensors, _ = load_checkpoint(STARTER, ["model"])
    return carry_autoencoder(autoencoder, tensors["model"])


def start_denoiser_from_starter(backbone: nn.Module) -> Carried:
    """Copy the starter's weights into a fresh denoiser of its shape; conditions start fresh."""
    tensors, _ = load_checkpoint(STARTER_DENOISER, ["model"])
    weights = expanded(tensors["model"])
    return carry_denoiser(backbone, weights, unasked=weights.pop(UNASKED))


def compressed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights in a quarter of the space: whole numbers in [-127, 127], times a scale for each row.

    Vectors stay in half precision. The largest error is half a step, 1/254 of its row's largest
    weight.
    """
    small = {}
    for name, weight in weights.items():
        if weight.ndim < 2:
            small[name] = weight.half()
            continue
        rows = weight.flatten(1).float()
        scale = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127  # (rows, 1)
        small[name] = (rows / scale).round().to(torch.int8).view(weight.shape)
        small[name + SCALE] = scale
    return small


def expanded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `compressed` was made of, in float32."""
    found = {}
    for name, weight in weights.items():
        if name + SCALE in weights:
            rows = weight.flatten(1).float() * weights[name + SCALE]
            found[name] = rows.view(weight.shape)
        elif not name.endswith(SCALE):
            found[name] = weight.float()
    return found
