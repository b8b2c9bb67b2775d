"""How fast this machine trains: real steps of the models in question, on made-up data."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from latentbloom.config import AutoencoderConfig, DenoiserConfig, RunConfig, VaeGanSettings
from latentbloom.data.conditions import ConditionSpec
from latentbloom.train.machine import seconds_of

MEASURE_SECONDS = 6.0  # that timing one model may take, when its steps are slow


@dataclass(frozen=True)
class Speeds:
    """Training speed on this machine.

    Of the models that the request fixes, and of the reference models where it leaves them open.

    Attributes:
        images: Images a second through stage 1, all losses on; 0 where there is no stage 1.
        latents: Latents a second through stage 2.
        set_up: Seconds that went before training: audit, measurement.
    """

    images: float
    latents: float
    set_up: float = 0.0


def measure_speeds(
    config: RunConfig,
    autoencoder: AutoencoderConfig,
    denoiser: DenoiserConfig,
    spec: ConditionSpec,
    *,
    device: torch.device,
    precision: str,
) -> Speeds:
    """Time steps of two models on made-up pictures, a few seconds in all.

    Arguments:
        config: The request, for losses and batches.
        autoencoder: What to time in stage 1; its size and channels are those of the pictures.
        denoiser: What to time in stage 2.
        spec: The factors.
        device: Where.
        precision: "fp32" or "bf16".
    """
    low = precision == "bf16"
    latents = _denoiser_speed(config.diffusion.batch_size, autoencoder, denoiser, spec, device, low)
    if autoencoder.family == "pixel":
        return Speeds(0.0, latents)
    return Speeds(_vae_gan_speed(config.vae_gan, autoencoder, device, low), latents)


def _vae_gan_speed(
    settings: VaeGanSettings, shape: AutoencoderConfig, device: torch.device, low: bool
) -> float:
    from latentbloom.nn.autoencoder import build_autoencoder
    from latentbloom.nn.discriminator import build_discriminator
    from latentbloom.vaegan.losses import hinge_generator_loss, kl_loss, reconstruction_loss
    from latentbloom.vaegan.perceptual import build_perceptual

    size, channels = shape.size, shape.channels
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

    return batch / seconds_of(step, device, repeats=3, limit=MEASURE_SECONDS)


def _denoiser_speed(
    batch: int,
    autoencoder: AutoencoderConfig,
    config: DenoiserConfig,
    spec: ConditionSpec,
    device: torch.device,
    low: bool,
) -> float:
    from latentbloom.nn.autoencoder import latent_shape_of
    from latentbloom.nn.backbone import build_backbone

    shape = latent_shape_of(autoencoder)
    model = build_backbone(config, spec, shape).to(device)
    x = torch.randn(batch, *shape, device=device)
    t = torch.rand(batch, device=device)
    cond = {name: index.to(device) for name, index in spec.encode({}, batch).items()}

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=low):
            loss = model(x, t, cond).float().square().mean()
        loss.backward()

    return batch / seconds_of(step, device, repeats=3, limit=MEASURE_SECONDS)
