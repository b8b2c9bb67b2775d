"""From minutes, data and a measured machine to sizes and seconds.

`make_plan` is arithmetic on the measurements of `latentbloom.fitting.planning.speeds`, so it can be
tested without a clock. It keeps what the request or its preset fixes, and chooses the rest.
"""

from __future__ import annotations

import math

from latentbloom.config import (
    AutoencoderConfig,
    DenoiserConfig,
    RunConfig,
    Settings,
    TrainSettings,
)
from latentbloom.errors import ConfigError
from latentbloom.fitting.planning.choices import (
    DENOISERS,
    FAMILY_DENOISERS,
    REFERENCE_DENOISER,
    WIDTHS,
    autoencoders_for,
    chosen_autoencoder,
    fitted,
    with_kl_weight,
    with_stem,
)
from latentbloom.fitting.planning.speeds import Speeds

ENOUGH_LATENTS = 700_000  # that stage 2 should see before a wider denoiser pays
WORTH_COMPILING = 900.0  # seconds of stage 2 from which on compiling is worth its minute
COMPILED = 1.25  # speed of a compiled transformer, compiling included
ENCODING_MARGIN = 1.25  # held-out pictures, reading and writing
MIRROR_SHARE = 0.1  # of the minutes: what encoding may take before mirror images are left out
SHORTEST_MINUTES = 1.0
SHORTEST_SHARE = 0.3  # of the minutes that must be left for training
# Shares of stage 1 in the time that is left for training: the least and the most. Between them it
# takes the time to see SETTLED_IMAGES, after which reconstructions hardly improve.
STAGE_1_SHARES = (0.4, 0.5)
SETTLED_IMAGES = 25_000
STAGE_3_SHARE = 0.15  # of the time that is left for training, its latents included
SHORTEST_STAGE_3 = 45.0  # seconds
# The classic autoencoder sees 6 pictures a second and core, its dense denoiser 560 latents.
FAMILY_STAGE_1_SHARES = {"classic": (0.8, 0.8)}


class Plan(Settings):
    """How the minutes are spent.

    Attributes:
        vae_gan_seconds: Stage 1; None where its budget is in images, 0 where there is no stage 1.
        diffusion_seconds: Stage 2 as planned; decided again when stage 1 is done.
        decoder_seconds: Stage 3 with the latents that are generated for it; 0 where there is none.
        finish_seconds: Reserved for scores, pictures and report.
        vae_gan_images: Images that stage 1 will see, an estimate.
        diffusion_images: Latents that stage 2 will see, an estimate.
        spent_seconds: Used so far, outside both stages.
    """

    vae_gan_seconds: float | None = None
    diffusion_seconds: float | None = None
    decoder_seconds: float = 0.0
    finish_seconds: float = 60.0
    vae_gan_images: int = 0
    diffusion_images: int = 0
    spent_seconds: float = 0.0


def models_to_time(
    config: RunConfig, *, size: int, channels: int
) -> tuple[AutoencoderConfig, DenoiserConfig]:
    """The models that the request fixes, or the reference ones, at this size of pictures."""
    autoencoder = config.autoencoder or chosen_autoencoder(WIDTHS[-1][0], size)
    autoencoder = _at_size(autoencoder, size, channels)
    denoiser = config.denoiser or FAMILY_DENOISERS.get(autoencoder.family)
    if denoiser is None:
        return autoencoder, fitted(REFERENCE_DENOISER, autoencoder)
    return autoencoder, with_stem(denoiser)


def make_plan(
    config: RunConfig, speeds: Speeds, *, count: int, size: int, channels: int
) -> tuple[RunConfig, Plan]:
    """Choose what the request leaves open.

    Arguments:
        config: The request.
        speeds: Speed of `models_to_time`.
        count: Training pictures.
        size: Side of the pictures, in pixels.
        channels: 1 or 3.

    Returns:
        The settings with nothing open, and the plan.

    Raises:
        ConfigError: The minutes are too few to train a model.
    """
    train = in_images(config.train, count)
    config = config.model_copy(update={"train": train})
    one, two = train.vae_gan_images, train.diffusion_images
    if config.autoencoder is not None and config.autoencoder.family == "pixel":
        one = 0  # there is no stage 1
    if train.minutes is None and (one is None or two is None):
        raise ConfigError(
            "Without --minutes both stages need a budget in images: give --images-1 and "
            "--images-2, or --train.vae_gan_epochs and --train.diffusion_epochs."
        )
    seconds = 60.0 * (train.minutes or 0.0)
    finish = _finishing(seconds) if seconds else 60.0
    spendable = seconds - speeds.set_up - finish
    third = _stage_3(config, spendable)
    spendable -= third
    autoencoder, first, encode, seen = _stage_1(
        config, speeds, count, spendable, one, size, channels
    )
    if seconds and config.data.mirror is None and encode > MIRROR_SHARE * seconds:
        config = _mirrored(config, False)
        autoencoder, first, encode, seen = _stage_1(
            config, speeds, count, spendable, one, size, channels
        )
    config = with_kl_weight(_mirrored(config, config.data.mirrored), autoencoder)
    left = spendable - encode
    if seconds and (seconds < 60.0 * SHORTEST_MINUTES or left < SHORTEST_SHARE * seconds):
        raise ConfigError(
            f"{train.minutes:g} minutes are too few for {count:,} pictures on this machine; "
            f"give at least {_least_minutes(speeds.set_up + encode)}."
        )
    second = max(left - first, 1.0) if seconds else 0.0
    denoiser, factor = config.denoiser or FAMILY_DENOISERS.get(autoencoder.family), 1.0
    if denoiser is None:
        timed = seconds > 0.0 and two is None
        denoiser, factor = _denoiser(second * speeds.latents, count, timed=timed)
        denoiser = fitted(denoiser, _at_size(autoencoder, size, channels))
    denoiser = with_stem(denoiser)
    long = two is None and second >= WORTH_COMPILING
    wanted = speeds.compiles and long if train.compile is None else train.compile
    compiled = wanted and denoiser.kind == "transformer"
    config = config.model_copy(update={"train": train.model_copy(update={"compile": compiled})})
    plan = Plan(
        vae_gan_seconds=None if one else first,
        diffusion_seconds=second if two is None else None,
        decoder_seconds=third,
        finish_seconds=finish,
        vae_gan_images=seen,
        diffusion_images=two
        or round(second * speeds.latents * factor * (COMPILED if compiled else 1)),
        spent_seconds=speeds.set_up,
    )
    autoencoder = _at_size(autoencoder, size, channels)
    return config.model_copy(update={"autoencoder": autoencoder, "denoiser": denoiser}), plan


def _mirrored(config: RunConfig, mirror: bool) -> RunConfig:
    return config.model_copy(update={"data": config.data.model_copy(update={"mirror": mirror})})


def _finishing(seconds: float) -> float:
    """Seconds for guidance, scores and pictures, which have a size of their own.

    All of them from some ten minutes on; of a shorter run they get a seventh.
    """
    return min(max(0.14 * seconds, 0.25 * seconds - 45.0, 12.0), 85.0 + 0.05 * seconds, 240.0)


def in_images(train: TrainSettings, count: int) -> TrainSettings:
    """Budgets in epochs as budgets in images; where both are given, images win.

    Arguments:
        train: The settings.
        count: Training pictures, one epoch.
    """
    found = {
        images: max(1, round(epochs * count))
        for images, epochs in (
            ("vae_gan_images", train.vae_gan_epochs),
            ("diffusion_images", train.diffusion_epochs),
        )
        if epochs is not None and getattr(train, images) is None
    }
    return train.model_copy(update=found)


def _least_minutes(fixed: float) -> int:
    """Whole minutes of which setting up and encoding, in seconds, leave enough for training."""
    minutes = max(1, math.ceil(SHORTEST_MINUTES))
    while 60.0 * minutes * (1.0 - SHORTEST_SHARE) < fixed + _finishing(60.0 * minutes):
        minutes += 1
    return minutes


def _stage_1(
    config: RunConfig,
    speeds: Speeds,
    count: int,
    spendable: float,
    images: int | None,
    size: int,
    channels: int,
) -> tuple[AutoencoderConfig, float, float, int]:
    """The autoencoder, the seconds that it trains and encodes, and the images that it sees.

    The widest that sees enough of enough pictures; where images are the budget, a fixed one.
    """
    if images == 0:
        assert config.autoencoder is not None
        return config.autoencoder, 0.0, 0.0, 0
    choices = autoencoders_for(count, size, channels, timed=images is None)
    if config.autoencoder is not None:
        choices = [(config.autoencoder, 1.0, 0)]
    views = 2 if config.data.mirrored else 1
    for autoencoder, relative, enough in choices:
        least, most = FAMILY_STAGE_1_SHARES.get(autoencoder.family, STAGE_1_SHARES)
        encode = ENCODING_MARGIN * views * count / (speeds.encoded * relative)
        speed = speeds.images * relative
        left = spendable - encode
        seconds = min(max(SETTLED_IMAGES / speed, least * left), most * left)
        if images is not None:
            seconds = images / speed
        found = autoencoder, seconds, encode, images or round(seconds * speed)
        if found[-1] >= enough:
            break
    return found


def _stage_3(config: RunConfig, spendable: float) -> float:
    """Seconds of stage 3: none for families and losses that it does not suit, and short runs."""
    suits = config.autoencoder is None or config.autoencoder.family == "swift"
    found = STAGE_3_SHARE * spendable
    adversarial = config.vae_gan.adversarial_weight and config.decoder.adversarial_weight
    return found if suits and adversarial and found >= SHORTEST_STAGE_3 else 0.0


def _denoiser(reference_latents: float, count: int, *, timed: bool) -> tuple[DenoiserConfig, float]:
    if not timed:
        return REFERENCE_DENOISER, 1.0
    for config, speed, fewest in DENOISERS:
        if reference_latents * speed >= ENOUGH_LATENTS and count >= fewest:
            return config, speed
    return DENOISERS[-1][:2]


def _at_size(config: AutoencoderConfig, size: int, channels: int) -> AutoencoderConfig:
    return config.model_copy(update={"size": size, "channels": channels})
