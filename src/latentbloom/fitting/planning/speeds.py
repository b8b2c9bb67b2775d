"""How fast this machine trains: real steps of the models in question, on a few pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from latentbloom.conditions import ConditionSpec
from latentbloom.config import AutoencoderConfig, DenoiserConfig, RunConfig
from latentbloom.data.imageset import ImageSet
from latentbloom.device import can_compile, make_accelerator
from latentbloom.fitting.encoding import grid_of_tokens
from latentbloom.fitting.planning.machine import seconds_of

if TYPE_CHECKING:
    from accelerate import Accelerator

    from latentbloom.train.loop import Trainer
    from latentbloom.train.stage import Stage

MEASURE_SECONDS = 6.0  # that timing one model may take, when its steps are slow


@dataclass(frozen=True)
class Speeds:
    """Training speed on this machine.

    Of the models that the request fixes, and of the reference models where it leaves them open.

    Attributes:
        images: Images a second through stage 1, over all its phases; 0 where there is no stage 1.
        latents: Latents a second through stage 2.
        encoded: Images a second that the autoencoder encodes; 0 where there is no stage 1.
        set_up: Seconds that went before training: audit, measurement.
        compiles: Whether blocks can be compiled on this machine.
        threads: Threads that they were measured with and that the run uses; None leaves PyTorch's.
        processes: Processes of so many threads that they were measured with.
    """

    images: float
    latents: float
    encoded: float
    set_up: float = 0.0
    compiles: bool = False
    threads: int | None = None
    processes: int = 1


def measure_speeds(
    config: RunConfig,
    autoencoder: AutoencoderConfig,
    denoiser: DenoiserConfig,
    images: ImageSet,
    device: torch.device,
    precision: str,
    *,
    together: bool = False,
) -> Speeds:
    """Time steps of two models, a few seconds in all.

    Arguments:
        config: The request, for losses and batches.
        autoencoder: What to time in stage 1; its size and channels are those of the pictures.
        denoiser: What to time in stage 2.
        images: A batch of pictures of the set.
        device: Where.
        precision: "fp32" or "bf16".
        together: Time the steps that the processes around this one take together. Each of them
            must call this. By default this process is timed alone, while the others wait.
    """
    accelerator = make_accelerator(precision, alone=not together)
    latents = denoiser_speed(config, autoencoder, denoiser, images.spec, accelerator)
    if autoencoder.family == "pixel":
        return Speeds(0.0, latents, 0.0)  # U-Nets are not compiled
    seen, encoded = vae_gan_speeds(config, autoencoder, images, device, accelerator)
    return Speeds(seen, latents, encoded, compiles=can_compile(device))


def time_together(
    config: RunConfig,
    autoencoder: AutoencoderConfig,
    denoiser: DenoiserConfig,
    images: ImageSet,
    device: torch.device,
    precision: str,
) -> Speeds:
    """`measure_speeds` of the processes around this one, each of which calls this."""
    return measure_speeds(config, autoencoder, denoiser, images, device, precision, together=True)


def vae_gan_speeds(
    config: RunConfig,
    shape: AutoencoderConfig,
    images: ImageSet,
    device: torch.device,
    accelerator: Accelerator,
) -> tuple[float, float]:
    """Images a second that stage 1 sees, and that its autoencoder encodes.

    Whole steps are timed, optimisers and average included. A stage that is measured by the clock
    spends `discriminator_start` of its time without the discriminator, and the rest with it.
    """
    from latentbloom.nn.autoencoders.base import Autoencoder
    from latentbloom.train.stages.vae_gan import VaeGanStage

    settings = config.vae_gan
    stage = VaeGanStage(
        shape, settings, config.train, images, images, accelerator, say=lambda text: None
    )
    trainer = _trainer_of(stage, config, accelerator)

    # Processes that wait for each other must take the same number of steps.
    limit = MEASURE_SECONDS / 2 if accelerator.num_processes == 1 else float("inf")

    def seconds_at(progress: float) -> float:
        return seconds_of(lambda: trainer.step(progress), device, repeats=3, limit=limit)

    early, late = seconds_at(0.0), seconds_at(1.0)
    share = settings.discriminator_start if settings.adversarial_weight else 1.0
    batch = stage.batch(list(range(len(images))))["images"]
    model = stage.ema.module
    assert isinstance(model, Autoencoder)

    @torch.no_grad()
    def encode() -> None:
        with accelerator.autocast():
            model.encode_raw(batch)

    encoding = seconds_of(encode, device, repeats=3, limit=MEASURE_SECONDS / 2)
    seen = settings.batch_size * (share / early + (1.0 - share) / late)
    return seen, len(batch) / encoding


def denoiser_speed(
    config: RunConfig,
    autoencoder: AutoencoderConfig,
    denoiser: DenoiserConfig,
    spec: ConditionSpec,
    accelerator: Accelerator,
) -> float:
    """Latents a second through stage 2, on latents that are made up.

    Whole steps are timed: batches, alignment, optimisers and average included. Those of the end,
    which learn guidance by an earlier self, take longer and count with their share.

    Arguments:
        config: The request, for objective and batches.
        autoencoder: Its latents have the shape that is timed.
        denoiser: What to time.
        spec: The factors.
        accelerator: Device, precision and processes.
    """
    from latentbloom.fitting.planning.made_up import MadeUpLatents, MadeUpMaps
    from latentbloom.nn.autoencoders.base import latent_shape_of
    from latentbloom.train.stages.latent_diffusion import LatentDiffusionStage
    from latentbloom.train.stages.self_guidance import STARTS_AT

    grid = grid_of_tokens(config, autoencoder, denoiser)
    stage = LatentDiffusionStage(
        denoiser,
        config.diffusion,
        config.train.model_copy(update={"compile": False}),
        spec,
        MadeUpLatents(latent_shape_of(autoencoder), spec),
        None,
        accelerator,
        maps=None if grid is None else MadeUpMaps(grid),
    )
    trainer = _trainer_of(stage, config, accelerator)
    alone = accelerator.num_processes == 1
    limit = MEASURE_SECONDS / 2 if alone else float("inf")

    def seconds_at(progress: float) -> float:
        step = partial(trainer.step, progress)
        return seconds_of(step, accelerator.device, repeats=3, limit=limit)

    seconds = seconds_at(0.5)
    if stage.guidance.strength > 1.0:
        seconds = STARTS_AT * seconds + (1.0 - STARTS_AT) * seconds_at(1.0)
    return stage.batch_size / seconds


def _trainer_of(stage: Stage, config: RunConfig, accelerator: Accelerator) -> Trainer:
    """Takes steps, and writes and shows nothing."""
    from rich.console import Console

    from latentbloom.fitting.stage_progress import StageProgress
    from latentbloom.runs.metrics import MetricsLog
    from latentbloom.train.budget import Budget
    from latentbloom.train.loop import Trainer

    return Trainer(
        stage,
        Budget(images=stage.batch_size),
        config.train,
        accelerator,
        Path(),
        MetricsLog(Path("metrics.jsonl"), enabled=False),
        StageProgress("", Console(quiet=True), enabled=False),
    )
