"""Which shown combinations a model guides, and is exported, with."""

from __future__ import annotations

import pytest

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import AutoencoderConfig, DenoiserConfig, DiffusionSettings, RunConfig
from latentbloom.model.build import build_denoiser
from latentbloom.model.latent_model import LatentModel
from latentbloom.nn.autoencoders.build import build_autoencoder


@pytest.mark.parametrize(("factors", "kept"), [(8, True), (9, False)])
def test_combinations_of_many_factors_are_not_kept(factors: int, kept: bool) -> None:
    spec = ConditionSpec(tuple(Factor(f"f{k}", ("no", "yes")) for k in range(factors)))
    autoencoder = build_autoencoder(AutoencoderConfig(size=32, width=16, blocks=1), spec)
    denoiser = build_denoiser(
        DenoiserConfig(width=32, depth=1), DiffusionSettings(), spec, autoencoder.latent_shape
    )
    shown = [(0,) * factors]
    model = LatentModel(RunConfig(), spec, autoencoder, denoiser, shown=shown)
    assert model.shown == (shown if kept else None)
