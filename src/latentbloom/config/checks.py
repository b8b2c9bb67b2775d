"""Settings that are fine one by one, and do not work together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentbloom.config.network_settings import LARGE
from latentbloom.errors import ConfigError

if TYPE_CHECKING:
    from latentbloom.config.network_settings import AutoencoderConfig, DenoiserConfig
    from latentbloom.config.run_config import RunConfig

FOLDED_SIDE = 8  # of the map that a flat latent is folded into, where its length allows it


def check_together(config: RunConfig, where: str = "the settings") -> None:
    """Refuse combinations of settings that cannot be built.

    What is still open (the size of the pictures, the networks) is not checked. The planner calls
    this again once everything is chosen.

    Arguments:
        config: The settings.
        where: What the message calls them.

    Raises:
        ConfigError: Names the fields, what was found and what is allowed.
    """
    flaws = [] if config.denoiser is None else _denoiser_flaws(config, config.denoiser)
    flaws += _decoder_flaws(config)
    if flaws:
        raise ConfigError(f"In {where}:\n" + "\n".join(f"  {flaw}" for flaw in flaws))


def _denoiser_flaws(config: RunConfig, denoiser: DenoiserConfig) -> list[str]:
    if denoiser.kind != "transformer":
        return []
    flaws = []
    width = denoiser.width
    heads = max(1, width // denoiser.head_width)
    if width % heads:
        fitting = [w for w in range(32, width + 33) if width % w == 0 and w <= width]
        flaws.append(
            f"denoiser.width: {width} cannot be divided among {heads} attention heads of about "
            f"denoiser.head_width {denoiser.head_width}. Take a multiple of the head width, or a "
            f"head width of {' or '.join(map(str, fitting))}."
        )
    side = _side_of_map(config)
    if side is not None and side % denoiser.patch:
        allowed = [str(patch) for patch in range(1, side + 1) if side % patch == 0]
        flaws.append(
            f"denoiser.patch: {denoiser.patch} does not divide the latent map, which is {side} "
            f"wide. Allowed: {', '.join(allowed)}."
        )
    return flaws


def _decoder_flaws(config: RunConfig) -> list[str]:
    if config.train.decoder_images is None:
        return []
    flaws = []
    if config.autoencoder is not None and config.autoencoder.family != "swift":
        flaws.append(
            "train.decoder_images: stage 3 trains decoders of the swift family only, and "
            f"autoencoder.family is {config.autoencoder.family}. Leave it out."
        )
    elif not config.vae_gan.adversarial_weight:
        flaws.append(
            "train.decoder_images: stage 3 needs the discriminator of stage 1, and "
            "vae_gan.adversarial_weight is 0. Leave it out, or give a weight above 0."
        )
    return flaws


def _side_of_map(config: RunConfig) -> int | None:
    """Side of the map that the denoiser sees; None while the size of the pictures is open."""
    autoencoder = config.autoencoder
    if autoencoder is not None and autoencoder.family == "classic":
        return _side_of_folded(autoencoder)
    size = config.data.size
    if size is None:
        return None
    if autoencoder is None:
        return size // (16 if size >= LARGE else 8)  # as the planner will choose
    return size if autoencoder.family == "pixel" else size // autoencoder.reduction


def _side_of_folded(autoencoder: AutoencoderConfig) -> int:
    """The largest of 8, 4, 2 and 1 whose square divides the length of the flat latent."""
    side = FOLDED_SIDE
    while autoencoder.latent_numbers % side**2:
        side //= 2
    return side
