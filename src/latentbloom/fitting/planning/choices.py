"""The networks that the planner chooses from."""

from __future__ import annotations

from latentbloom.config import AutoencoderConfig, DenoiserConfig, RunConfig
from latentbloom.config.network_settings import LARGE
from latentbloom.config.stage_settings import KL_WEIGHT
from latentbloom.presets import PIXEL_DENOISER

REFERENCE_DENOISER = DenoiserConfig()
TOKENS_A_SIDE = 4
"""Of the denoiser at 64 px and above: its attention and most of its time depend on it."""

STEM, STEM_PATCH = 64, 2
"""Channels of the convolutions around it, and the tokens' side with which it has them."""

# Widths of the autoencoder, widest first: their speed relative to the narrowest, which is what is
# timed, and the training pictures below which they are not taken, whatever the time.
WIDTHS = (
    (160, 0.24, 24_000),
    (128, 0.36, 12_000),
    (96, 0.52, 6_000),
    (64, 0.88, 3_000),
    (48, 1.0, 0),
)
UNTIMED_WIDTH = 96  # of the autoencoder where images, not minutes, are the budget
# That stage 1 should see before a wider autoencoder pays, which has no starter.
ENOUGH_IMAGES = 250_000
# For colour pictures below `LARGE`, where stage 1 sees so many images of so many pictures: twice
# the latent channels, and a KL weight with which each of them carries few nats. In less time the
# denoiser does not learn them.
MORE_CHANNELS = AutoencoderConfig(width=48, latent_channels=8)
MORE_CHANNELS_KL_WEIGHT = 6e-2
MORE_CHANNELS_PICTURES, MORE_CHANNELS_IMAGES = 7_000, 45_000
# Shapes of the denoiser, the same, relative to the reference.
DENOISERS = (
    (DenoiserConfig(width=512, depth=12), 0.28, 12_000),
    (DenoiserConfig(width=384, depth=10), 0.51, 6_000),
    (DenoiserConfig(width=256, depth=8), 1.0, 3_000),
    (DenoiserConfig(width=192, depth=4), 2.0, 0),
)
# Denoisers of the families whose latents are no maps of the reference's kind.
FAMILY_DENOISERS = {"classic": DenoiserConfig(kind="dense"), "pixel": PIXEL_DENOISER}


def chosen_autoencoder(width: int, size: int) -> AutoencoderConfig:
    """The autoencoder of that width for pictures of a size: at 64 and at 128 px a map of 8 x 8."""
    if size < LARGE:
        return AutoencoderConfig(width=width)
    return AutoencoderConfig(width=width, reduction=16, latent_channels=16)


def autoencoders_for(
    count: int, size: int, channels: int, *, timed: bool
) -> list[tuple[AutoencoderConfig, float, int]]:
    """What a run chooses from, the most wanted first.

    Arguments:
        count: Training pictures.
        size: Their side, in pixels.
        channels: 1 or 3.
        timed: Whether minutes, not images, are the budget of stage 1.

    Returns:
        Autoencoders, their speed relative to the narrowest, and the images that stage 1 must see
        for each to be taken.
    """
    found = [
        (chosen_autoencoder(width, size), speed, ENOUGH_IMAGES)
        for width, speed, fewest in WIDTHS
        if (count >= fewest if timed else width == UNTIMED_WIDTH)
    ]
    if timed and channels == 3 and size < LARGE and count >= MORE_CHANNELS_PICTURES:
        found.insert(-1, (MORE_CHANNELS, 1.0, MORE_CHANNELS_IMAGES))
    return found


def fitted(denoiser: DenoiserConfig, autoencoder: AutoencoderConfig) -> DenoiserConfig:
    """A denoiser for the latents of an autoencoder: it sees large pictures as 4 x 4 tokens."""
    side = autoencoder.size // autoencoder.reduction
    if autoencoder.size >= LARGE and not side % TOKENS_A_SIDE:
        denoiser = denoiser.model_copy(update={"patch": side // TOKENS_A_SIDE})
    return with_stem(denoiser)


def with_stem(denoiser: DenoiserConfig) -> DenoiserConfig:
    """The denoiser with its convolutions chosen, where the request leaves them open.

    They suit maps whose tokens are 2 x 2 places; on larger maps they would cost more than the
    transformer.
    """
    if denoiser.stem is not None:
        return denoiser
    suits = denoiser.kind == "transformer" and denoiser.patch == STEM_PATCH
    return denoiser.model_copy(update={"stem": STEM if suits else 0})


def with_kl_weight(config: RunConfig, autoencoder: AutoencoderConfig) -> RunConfig:
    """The settings with the KL weight of that autoencoder, where the request leaves it open."""
    if config.vae_gan.kl_weight is not None:
        return config
    more = autoencoder.family == "swift" and autoencoder.reduction == MORE_CHANNELS.reduction
    more = more and autoencoder.latent_channels >= MORE_CHANNELS.latent_channels
    weight = MORE_CHANNELS_KL_WEIGHT if more else KL_WEIGHT
    return config.model_copy(
        update={"vae_gan": config.vae_gan.model_copy(update={"kl_weight": weight})}
    )
