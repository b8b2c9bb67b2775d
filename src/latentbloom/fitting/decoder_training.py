"""Stage 3, ready to train: latents that the finished denoiser generates, and the decoder."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from latentbloom.fitting.encoding import open_latents
from latentbloom.losses.perceptual import build_perceptual
from latentbloom.model.request import Request
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint, save_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.train.order import mix
from latentbloom.train.stages.decoder_finish import DecoderFinishStage

if TYPE_CHECKING:
    from accelerate import Accelerator

    from latentbloom.config import RunConfig
    from latentbloom.data.imageset import ImageSet
    from latentbloom.model.generator import Model
    from latentbloom.nn.autoencoders.base import Autoencoder

PLACE = "generated"
AT_ONCE = 32
WEAKEST = 1.0
"""Guidance of the latents lies between this and what the settings name: one is chosen later."""


def decoder_stage(
    folder: RunFolder,
    config: RunConfig,
    autoencoder: Autoencoder,
    sets: tuple[ImageSet, ImageSet],
    accelerator: Accelerator,
    *,
    seconds: float | None,
    say: Callable[[str], None],
) -> DecoderFinishStage:
    """Stage 3, untrained; its latents are generated where they are not there yet.

    Arguments:
        folder: The run folder; its denoiser is finished.
        config: Settings of the run.
        autoencoder: Finished stage 1.
        sets: Training pictures and held-out ones, which may be empty.
        accelerator: Device, precision and processes.
        seconds: What generating may take; fewer latents are then generated.
        say: Receives remarks.
    """
    train, val = sets
    last = load_checkpoint(folder.path / "vae_gan_last", ["discriminator"])[0]
    return DecoderFinishStage(
        config.decoder,
        config.vae_gan,
        config.train,
        autoencoder,
        last["discriminator"],
        build_perceptual(config.vae_gan.perceptual, say),
        train,
        val,
        open_latents(folder, config, train, val)[0],
        generated_latents(folder, train, accelerator, seconds),
        accelerator,
    )


def generated_latents(
    folder: RunFolder, train: ImageSet, accelerator: Accelerator, seconds: float | None = None
) -> torch.Tensor:
    """Latents (N, C, h, w) with the labels of training pictures, made once and then read.

    Arguments:
        folder: The run folder; its denoiser is finished.
        train: Training pictures.
        accelerator: The processes; the first one generates.
        seconds: What generating may take; fewer than the settings ask for are then generated.
    """
    from latentbloom.model.generator import load

    place = folder.latents(PLACE)
    if accelerator.is_main_process and not checkpoint_exists(place):
        model = load(folder.path, device=str(accelerator.device))
        save_checkpoint(place, {"latents": {"z": _generate(model, train, seconds)}}, {})
    accelerator.wait_for_everyone()
    return load_checkpoint(place, ["latents"])[0]["latents"]["z"]


def _generate(model: Model, train: ImageSet, seconds: float | None) -> torch.Tensor:
    settings, seed = model.config.decoder, model.config.train.seed
    generator = torch.Generator().manual_seed(mix("generated", seed))
    rows = torch.randint(0, len(train), (settings.generated,), generator=generator)
    strongest = max(WEAKEST, model.config.sampling.guidance)
    guidance = WEAKEST + (strongest - WEAKEST) * torch.rand(len(rows), generator=generator)
    factors = model.spec.factors
    asked = [
        {f.name: f.word(int(i)) for f, i in zip(factors, train.labels[row], strict=True)}
        for row in rows.tolist()
    ]
    found = []
    began = time.monotonic()
    for start in range(0, len(rows), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        request = Request(
            asked[part], seed=mix("generated noise", seed), indices=range(len(rows))[part]
        )
        denoiser = model.guided(guidance[part].to(model.device))
        *_, last = model.states(request, denoiser=denoiser, num_steps=settings.num_steps)
        found.append(last.x_t.float().cpu())
        if seconds is not None and time.monotonic() - began > seconds:
            break
    return torch.cat(found)
