"""The ways to edit a latent, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from latentbloom.diffusion import noise_for
from latentbloom.diffusion.editing import (
    ContrastGuidance,
    denoise_from,
    flow_edit,
    invert,
    noised,
)
from latentbloom.errors import ConfigError
from latentbloom.model.editing.centres import centres_of
from latentbloom.words import did_you_mean

if TYPE_CHECKING:
    from latentbloom.conditions import Cond
    from latentbloom.model.latent_model import LatentModel

NOISES = 2
"""Noises that FlowEdit averages over, each with both signs."""

STEPS = 8
GUIDED_FROM = 0.4
"""Time below which FlowEdit is not guided."""

FOCUS = 0.5
"""How much FlowEdit keeps its change to the places where it is large."""


@dataclass(frozen=True)
class LatentEdit:
    """One latent, and what is to become of it.

    Attributes:
        z: Normalised latent (C, h, w), on the model's device.
        source: What it shows: LongTensor (1,) for each factor.
        target: What it shall show, likewise.
        strength: In [0, 1].
        guidance: w for the factors that differ; 1 is none.
        seed: Of the noises.
    """

    z: Tensor
    source: Cond
    target: Cond
    strength: float
    guidance: float
    seed: int


@dataclass(frozen=True)
class EditMethod:
    """A way to edit.

    Attributes:
        summary: What it does, in a line.
        run: Gives the edited latent (C, h, w).
        guidance: The default of w.
    """

    summary: str
    run: Callable[[LatentModel, LatentEdit], Tensor]
    guidance: float


def _flow_edit(model: LatentModel, edit: LatentEdit) -> Tensor:
    return flow_edit(
        model.denoiser,
        edit.z,
        edit.source,
        edit.target,
        eps=_noise(model, edit, NOISES),
        strength=edit.strength,
        num_steps=STEPS,
        guidance=edit.guidance,
        guided_from=GUIDED_FROM,
        focus=FOCUS,
    )


def _shift(model: LatentModel, edit: LatentEdit) -> Tensor:
    """By the difference of the two class centres; strength 1 moves w times as far."""
    before, after = centres_of(
        model, [model.spec.words(cond)[0] for cond in (edit.source, edit.target)]
    )
    return edit.z + edit.strength * edit.guidance * (after - before).to(edit.z)


def _sdedit(model: LatentModel, edit: LatentEdit) -> Tensor:
    """Noise to a middle time, then denoise under the target."""
    x_s = noised(edit.z[None], _noise(model, edit, 1), edit.strength)
    guided = ContrastGuidance(model.denoiser, edit.source, edit.guidance)
    return denoise_from(guided, x_s, edit.target, s=edit.strength, num_steps=STEPS)[0]


def _inversion(model: LatentModel, edit: LatentEdit) -> Tensor:
    """Invert under the source, then denoise under the target."""
    x_s = invert(model.denoiser, edit.z[None], edit.source, s=edit.strength, num_steps=STEPS)
    guided = ContrastGuidance(model.denoiser, edit.source, edit.guidance)
    return denoise_from(guided, x_s, edit.target, s=edit.strength, num_steps=STEPS)[0]


def _noise(model: LatentModel, edit: LatentEdit, count: int) -> Tensor:
    """The same noises for every picture: an edit does not depend on its place in the request."""
    noise = noise_for(edit.seed, range(count), model.autoencoder.latent_shape, stream="edit")
    return noise.to(model.device)


METHODS: dict[str, EditMethod] = {
    "flowedit": EditMethod(
        "FlowEdit: follow the difference of two velocities; keeps most of the picture",
        _flow_edit,
        3.0,
    ),
    "shift": EditMethod("add the difference of the two class centres; instant", _shift, 3.0),
    "sdedit": EditMethod("SDEdit: add noise, then denoise under the new condition", _sdedit, 3.0),
    "ddim": EditMethod(
        "DDIM inversion to a middle time, then denoising under the new condition", _inversion, 3.0
    ),
}


def find_method(name: str) -> EditMethod:
    """The method of that name.

    Raises:
        ConfigError: The name is unknown; the message lists the known ones.
    """
    if name not in METHODS:
        raise ConfigError(
            f"'{name}' is no method of editing. Choose one of: {', '.join(METHODS)}."
            f"{did_you_mean(name, METHODS)}"
        )
    return METHODS[name]
