"""Build the denoiser of a run from its settings."""

from __future__ import annotations

from latentbloom.conditions import ConditionSpec
from latentbloom.config import DenoiserConfig, DiffusionSettings
from latentbloom.diffusion.denoiser import Denoiser
from latentbloom.diffusion.schedule import make_schedule
from latentbloom.nn.backbones.kinds import build_backbone


def build_denoiser(
    config: DenoiserConfig,
    settings: DiffusionSettings,
    spec: ConditionSpec,
    shape: tuple[int, int, int],
) -> Denoiser:
    """A new, untrained denoiser for latents of a shape (C, h, w)."""
    backbone = build_backbone(config, spec, shape)
    return Denoiser(backbone, make_schedule(settings.schedule), settings.prediction)
