"""Named starting points: functions that return a typed configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from latentbloom.config import RunConfig
from latentbloom.errors import ConfigError


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


PRESETS: dict[str, Preset] = {
    "swift": Preset(
        swift,
        "The default: a light VAE-GAN with a 4x8x8 latent and a small transformer denoiser",
        "any labelled folder or built-in source; runs well on two processor cores",
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
