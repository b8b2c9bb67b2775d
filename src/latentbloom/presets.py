"""Named starting points: functions that return a typed configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from latentbloom.config import (
    AutoencoderConfig,
    DenoiserConfig,
    DiffusionSettings,
    RunConfig,
    VaeGanSettings,
)
from latentbloom.errors import ConfigError

PIXEL_DENOISER = DenoiserConfig(kind="pixel-unet", width=64)


@dataclass(frozen=True)
class Preset:
    """A named configuration.

    Arguments:
        build: Makes it.
        summary: What it is for, one line.
        needs: What has to be there, one line.
    """

    build: Callable[[], RunConfig]
    summary: str
    needs: str


def swift() -> RunConfig:
    """Light autoencoder and transformer, sized by the planner."""
    return RunConfig()


def classic() -> RunConfig:
    """Residual autoencoder with a flat latent and class centres, dense denoiser, DDPM training."""
    return RunConfig(
        autoencoder=AutoencoderConfig(family="classic", blocks=1),
        vae_gan=VaeGanSettings(
            optimizer="adamw",
            lr=4e-4,
            perceptual="vgg16",
            perceptual_share=0.25,  # VGG16 is slower than the autoencoder itself
            classification_weight=0.05,
            centre_weight=0.05,
            repulsion_weight=0.05,
            spread_weight=0.1,
            kl_start=0.1,
            kl_full=0.25,
            class_start=0.25,
            class_full=0.4,
            discriminator_start=0.4,
            adversarial_start=0.5,
            adversarial_full=0.65,
        ),
        denoiser=DenoiserConfig(kind="dense"),
        diffusion=DiffusionSettings(
            lr=5e-4, schedule="linear", prediction="eps", times="steps", weighting="uniform"
        ),
    )


def pixel() -> RunConfig:
    """A U-Net on the pictures themselves, on swift's objective."""
    return RunConfig(
        autoencoder=AutoencoderConfig(family="pixel"),
        denoiser=PIXEL_DENOISER,
        diffusion=DiffusionSettings(batch_size=16, lr=3e-4),
    )


PRESETS: dict[str, Preset] = {
    "swift": Preset(
        swift,
        "The default: a light VAE-GAN with a 4x8x8 latent and a small transformer denoiser",
        "any labelled folder or built-in source; runs well on two processor cores",
    ),
    "classic": Preset(
        classic,
        "Residual VAE-GAN with attention, a flat latent of 256 numbers with class centres, and a "
        "dense U-shaped denoiser trained as DDPM",
        "labels; a graphics card or hours; VGG16's weights, fetched once (else EfficientNet-Lite0)",
    ),
    "pixel": Preset(
        pixel,
        "The baseline without an autoencoder: diffusion on pixels with a U-Net",
        "any labelled folder or built-in source; a graphics card or hours",
    ),
}


def build_preset(name: str) -> RunConfig:
    """The configuration of that name.

    Raises:
        ConfigError: There is none; the known ones are listed.
    """
    if name not in PRESETS:
        raise ConfigError(f"No preset is called '{name}'. Known presets: {', '.join(PRESETS)}.")
    return PRESETS[name].build()
