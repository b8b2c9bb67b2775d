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
            batch_size=16,
            optimizer="adamw",
            lr=4e-4,
            discriminator_lr=1e-3,
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
            lr=5e-4,
            schedule="linear",
            prediction="eps",
            times="steps",
            weighting="uniform",
            self_guidance=1.0,  # was measured on transformers alone
        ),
    )


def pixel() -> RunConfig:
    """A U-Net on the pictures themselves, on swift's objective."""
    return RunConfig(
        autoencoder=AutoencoderConfig(family="pixel"),
        denoiser=PIXEL_DENOISER,
        diffusion=DiffusionSettings(batch_size=16, lr=3e-4, self_guidance=1.0),
    )


def _on(build: Callable[[], RunConfig], source: str, factors: str) -> Callable[[], RunConfig]:
    """A configuration with pictures and factors of its own."""

    def on_source() -> RunConfig:
        config = build()
        data = config.data.model_copy(update={"source": source, "factors": factors})
        return config.model_copy(update={"data": data})

    return on_source


def _data_presets() -> dict[str, Preset]:
    """For each published data set and choice of factors both families: NAME, NAME-classic."""
    found = {}
    for name, (source, factors, pictures) in DATA_SETS.items():
        for family in ("swift", "classic"):
            found[name if family == "swift" else f"{name}-{family}"] = Preset(
                _on(FAMILIES[family].build, source, factors),
                f"{pictures}; models of `{family}`",
                f"no SOURCE; {source} under --root DIR (default: data)",
            )
    found["flowers102-pixel"] = Preset(
        _on(pixel, "flowers102", ""),
        "Flowers by species, diffusion on pixels without an autoencoder; model of `pixel`",
        "no SOURCE; flowers102 under --root DIR (default: data); a graphics card or hours",
    )
    return found


DATA_SETS = {
    "celeba-smiling": ("celeba", "smiling", "Faces, smiling or not"),
    "flowers102": ("flowers102", "", "Flowers of 102 species"),
    "flowers102-colour": ("flowers102", "species,colour", "Flowers by species and colour"),
}
"""Source, factors and a few words, by name of the preset."""

FAMILIES: dict[str, Preset] = {
    "swift": Preset(
        swift,
        "The default: a light VAE-GAN with a 4x8x8 latent and a small transformer denoiser",
        "any labelled folder or built-in source; runs well on two processor cores",
    ),
    "classic": Preset(
        classic,
        "Residual VAE-GAN with attention, a flat latent of 256 dimensions with class centres, "
        "and a dense U-shaped denoiser trained as DDPM",
        "labels; a graphics card or hours; VGG16's weights, fetched once (else EfficientNet-Lite0)",
    ),
    "pixel": Preset(
        pixel,
        "The baseline without an autoencoder: diffusion on pixels with a U-Net",
        "any labelled folder or built-in source; a graphics card or hours",
    ),
}


PRESETS: dict[str, Preset] = {**FAMILIES, **_data_presets()}


def build_preset(name: str) -> RunConfig:
    """The configuration of that name.

    Raises:
        ConfigError: There is none; the known ones are listed.
    """
    if name not in PRESETS:
        raise ConfigError(f"No preset is called '{name}'. Known presets: {', '.join(PRESETS)}.")
    return PRESETS[name].build()
