"""Centres of classes in the latent space, and directions between them.

At pure noise x_t says nothing of the picture, and the denoiser's estimate is the mean of all
latents under the condition: x0_hat(eps, t = 1, cond) = E[z | cond]. So the centres need no
pictures, and those of one factor can be taken with all the others fixed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentbloom.diffusion import noise_for

if TYPE_CHECKING:
    from latentbloom.model.latent_model import LatentModel

Directions = dict[str, dict[str, Tensor]]
"""For each factor and value, a normalised latent (C, h, w)."""

NOISES = 8
MOST_COMBINATIONS = 32
"""More combinations of the other factors are not averaged over; these factors are left open."""


def centres_of(model: LatentModel, asked: Sequence[Mapping[str, str]]) -> Tensor:
    """Mean latents under conditions.

    Arguments:
        model: The model.
        asked: Words for each centre; a factor left out is open.

    Returns:
        Normalised latents (len(asked), C, h, w), on the CPU.

    Raises:
        ConditionError: A factor or a value is unknown.
    """
    noise = noise_for(0, range(NOISES), model.autoencoder.latent_shape, stream="centres")
    noise = torch.cat([noise, -noise]).to(model.device)
    means = []
    for words in asked:
        cond = {k: v.to(model.device) for k, v in model.spec.encode(words, len(noise)).items()}
        with torch.no_grad():
            x0_hat = model.denoiser(noise, torch.ones(len(noise), device=model.device), cond)
        means.append(x0_hat.float().mean(dim=0).cpu())
    return torch.stack(means)


def directions_of(model: LatentModel) -> Directions:
    """For each value of each factor, where it lies from the middle of its factor's values.

        direction(f, v) = E[z | f = v] - mean over values u of E[z | f = u],

    averaged over the combinations of the other factors, so that a direction does not carry what
    only goes along with its value in the training pictures.

    Returns:
        Latents (C, h, w) by factor and value; z + k direction moves a latent, k = 1 by as much as
        lies between the middle and the value.
    """
    found: Directions = {}
    for factor in model.spec.factors:
        others = [f for f in model.spec.factors if f is not factor]
        contexts: list[dict[str, str]] = [{}]
        if math.prod(len(f.values) for f in others) <= MOST_COMBINATIONS:
            names = [f.name for f in others]
            rows = itertools.product(*(f.values for f in others))
            contexts = [dict(zip(names, row, strict=True)) for row in rows]
        asked = [{**words, factor.name: v} for v in factor.values for words in contexts]
        centres = centres_of(model, asked).unflatten(0, (len(factor.values), len(contexts)))
        means = centres.mean(dim=1)
        away = means - means.mean(dim=0)
        found[factor.name] = dict(zip(factor.values, away, strict=True))
    return found
