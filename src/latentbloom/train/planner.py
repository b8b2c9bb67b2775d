"""From minutes, data and a measured machine to sizes and seconds.

`measure_speeds` times real steps of the reference models; `make_plan` is arithmetic on what it
found, so that it can be tested without a clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from latentbloom.config import (
    AutoencoderConfig,
    DenoiserConfig,
    RunConfig,
    Settings,
    VaeGanSettings,
)
from latentbloom.data.conditions import ConditionSpec
from latentbloom.errors import ConfigError
from latentbloom.train.machine import seconds_of

REFERENCE_WIDTH = 96
REFERENCE_DENOISER = DenoiserConfig()

# Widths of the autoencoder, widest first, and their speed relative to the reference.
WIDTHS = ((160, 0.45), (128, 0.62), (96, 1.0), (64, 1.7), (48, 2.3), (32, 3.4))
# Shapes of the denoiser, widest first, and their speed relative to the reference.
DENOISERS = (
    (DenoiserConfig(width=512, depth=12), 0.21),
    (DenoiserConfig(width=384, depth=10), 0.5),
    (DenoiserConfig(width=256, depth=8), 1.0),
    (DenoiserConfig(width=192, depth=6), 1.9),
    (DenoiserConfig(width=128, depth=4), 4.0),
)
ENOUGH_IMAGES = 50_000  # that an autoencoder should see before a wider one pays
ENOUGH_LATENTS = 120_000
SHORTEST_MINUTES = 1.0
STAGE_1_SHARE = 0.5  # of the time that is left for training


@dataclass(frozen=True)
class Speeds:
    """Training speed of the reference models on this machine.

    Attributes:
        images: Images a second through stage 1, all losses on.
        latents: Latents a second through stage 2.
        set_up: Seconds that went before training: audit, measurement.
    """

    images: float
    latents: float
    set_up: float = 0.0


class Plan(Settings):
    """How the minutes are spent.

    Attributes:
        vae_gan_seconds: Stage 1; None where its budget is in images.
        diffusion_seconds: Stage 2 as planned; settled anew when stage 1 is done.
        finish_seconds: Kept for scores, pictures and report.
        vae_gan_images: What stage 1 will see, as far as can be told.
        diffusion_images: What stage 2 will see.
        spent_seconds: Used up so far, outside the stages' own count.
    """

    vae_gan_seconds: float | None = None
    diffusion_seconds: float | None = None
    finish_seconds: float = 60.0
    vae_gan_images: int = 0
    diffusion_images: int = 0
    spent_seconds: float = 0.0


def make_plan(
    config: RunConfig, speeds: Speeds, *, count: int, size: int, channels: int
) -> tuple[RunConfig, Plan]:
    """Fill in what was left open.

    Arguments:
        config: The request.
        speeds: Speed of the reference models at this size.
        count: Training pictures.
        size: Side of the pictures, in pixels.
        channels: 1 or 3.

    Returns:
        The settings with nothing open, and the plan.

    Raises:
        ConfigError: The minutes are too few to come to a model.
    """
    train = config.train
    one, two = train.vae_gan_images, train.diffusion_images
    if train.minutes is None and (one is None or two is None):
        raise ConfigError(
            "Without --minutes both stages need a budget in images: give --images-1 and --images-2."
        )
    seconds = None if train.minutes is None else 60.0 * train.minutes
    finish = 60.0 if seconds is None else min(max(0.08 * seconds, 12.0), 180.0)
    encode = 2 * count / (6.0 * speeds.images)
    first = second = None
    if seconds is not None:
        left = seconds - speeds.set_up - finish - encode
        if train.minutes is not None and (train.minutes < SHORTEST_MINUTES or left < 0.3 * seconds):
            needed = max(SHORTEST_MINUTES, (speeds.set_up + encode + 12.0) / 60.0 / 0.6)
            raise ConfigError(
                f"{train.minutes:g} minutes are too few for {count:,} pictures on this machine; "
                f"give at least {needed:.0f}."
            )
        first = None if one is not None else STAGE_1_SHARE * left
        second = None if two is not None else left - (first or 0.0)
    autoencoder = config.autoencoder or AutoencoderConfig(
        width=_widest(one or (first or 0.0) * speeds.images, timed=first is not None)
    )
    autoencoder = autoencoder.model_copy(update={"size": size, "channels": channels})
    relative = min(WIDTHS, key=lambda w: abs(w[0] - autoencoder.width))[1]
    denoiser = config.denoiser or _denoiser((second or 0.0) * speeds.latents, second is not None)
    factor = next((f for d, f in DENOISERS if d == denoiser), 1.0)
    plan = Plan(
        vae_gan_seconds=first,
        diffusion_seconds=second,
        finish_seconds=finish,
        vae_gan_images=one or round((first or 0.0) * speeds.images * relative),
        diffusion_images=two or round((second or 0.0) * speeds.latents * factor),
        spent_seconds=speeds.set_up,
    )
    return config.model_copy(update={"autoencoder": autoencoder, "denoiser": denoiser}), plan


def _widest(reference_images: float, *, timed: bool) -> int:
    if not timed:
        return REFERENCE_WIDTH
    for width, speed in WIDTHS:
        if reference_images * speed >= ENOUGH_IMAGES:
            return width
    return WIDTHS[-1][0] if reference_images * WIDTHS[-1][1] < ENOUGH_IMAGES / 8 else 48


def _denoiser(reference_latents: float, timed: bool) -> DenoiserConfig:
    if not timed:
        return REFERENCE_DENOISER
    for config, speed in DENOISERS:
        if reference_latents * speed >= ENOUGH_LATENTS:
            return config
    return DENOISERS[-1][0]


def measure_speeds(
    config: RunConfig,
    spec: ConditionSpec,
    *,
    size: int,
    channels: int,
    device: torch.device,
    precision: str,
) -> Speeds:
    """Time steps of the reference models on made-up pictures, a few seconds in all."""
    low = precision == "bf16"
    images = _vae_gan_speed(config.vae_gan, size, channels, device, low)
    latents = _denoiser_speed(config.diffusion.batch_size, spec, size, device, low)
    return Speeds(images, latents)


def _vae_gan_speed(
    settings: VaeGanSettings, size: int, channels: int, device: torch.device, low: bool
) -> float:
    from latentbloom.nn.autoencoder import build_autoencoder
    from latentbloom.nn.discriminator import build_discriminator
    from latentbloom.vaegan.losses import hinge_generator_loss, kl_loss, reconstruction_loss
    from latentbloom.vaegan.perceptual import build_perceptual

    shape = AutoencoderConfig.model_validate(
        {"size": size, "channels": channels, "width": REFERENCE_WIDTH}
    )
    model = build_autoencoder(shape).to(device)
    ruler = build_perceptual(settings.perceptual, say=lambda text: None)
    features = ruler.channels if ruler is not None else []
    judge = build_discriminator(channels, features, settings.discriminator_width).to(device)
    batch = settings.batch_size
    share = max(1, round(batch * settings.perceptual_share))
    x = torch.rand(batch, channels, size, size, device=device) * 2 - 1
    x = x.contiguous(memory_format=torch.channels_last)
    eps = torch.randn(batch, *model.latent_shape, device=device)
    if ruler is not None:
        ruler.to(device)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            y, posterior = model(x, eps)
            loss = reconstruction_loss(x, y).mean() + kl_loss(posterior).mean()
            maps: list[torch.Tensor] = []
            if ruler is not None:
                maps = ruler.features(y[:share])
                loss = loss + ruler.distance(ruler.features(x[:share]), maps).mean()
            loss = loss + hinge_generator_loss(judge(y, maps))
            both = torch.cat([x, y.detach()])
            loss = loss + hinge_generator_loss(
                judge(both, [torch.cat([m, m]).detach() for m in maps])
            )
        loss.backward()

    return batch / seconds_of(step, device, repeats=3)


def _denoiser_speed(
    batch: int, spec: ConditionSpec, size: int, device: torch.device, low: bool
) -> float:
    from latentbloom.nn.transformer import Transformer

    shape = (4, size // 8, size // 8)
    model = Transformer(REFERENCE_DENOISER, spec, shape).to(device)
    x = torch.randn(batch, *shape, device=device)
    t = torch.rand(batch, device=device)
    cond = {name: index.to(device) for name, index in spec.encode({}, batch).items()}

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            loss = model(x, t, cond).float().square().mean()
        loss.backward()

    return batch / seconds_of(step, device, repeats=3)
