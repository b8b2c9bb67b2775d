"""The three stages on tiny pictures, trained for a few steps; new processes can import it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.config import AutoencoderConfig, DenoiserConfig, RunConfig
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.device import make_accelerator
from latentbloom.losses.perceptual import build_perceptual
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.runs.metrics import MetricsLog
from latentbloom.train.budget import Budget
from latentbloom.train.loop import Trainer
from latentbloom.train.stage import Stage
from latentbloom.train.stages.decoder_finish import DecoderFinishStage
from latentbloom.train.stages.latent_diffusion import LatentDiffusionStage
from latentbloom.train.stages.vae_gan import VaeGanStage
from latentbloom.train.stepping.sharding import whole
from tiny_run import tiny_config
from toy_stage import SilentProgress

PROGRESS = (0.0, 0.35, 0.9, 0.9)
"""Where in the stage each of the steps is: without the discriminator, with it, and balanced."""


class FixedLatents:
    """Latents in memory; see `latentbloom.latents.cache.Latents`."""

    fingerprint = "none"
    mirrored = True

    def __init__(self, images: ImageSet, shape: tuple[int, ...]) -> None:
        self.images = images
        self.shape = shape
        values = torch.randn(len(images), 2, 2, *shape, generator=torch.Generator().manual_seed(3))
        self.values = torch.cat([values[:, :, :1], values[:, :, 1:].abs() * 0.1], dim=2)

    def __len__(self) -> int:
        return len(self.images)

    def posterior(
        self, indices: Sequence[int], mirrored: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        flips = [0] * len(indices) if mirrored is None else list(mirrored)
        both = self.values[list(indices), flips]
        return both[:, 0], both[:, 1]

    def cond(self, spec: ConditionSpec, indices: Sequence[int]) -> Cond:
        del spec
        return self.images.cond(indices)

    @property
    def labels(self) -> Tensor:
        return torch.from_numpy(self.images.labels)


def build(kind: str, images: ImageSet, batch: int, alone: bool) -> tuple[Stage, RunConfig, Any]:
    """One of the stages."""
    settings = {
        "vae_gan.batch_size": batch,
        "vae_gan.optimizer": "adamw",  # Muon's products in bfloat16 make much of rounding
        "vae_gan.perceptual": "efficientnet-lite0",
        "vae_gan.alignment_weight": 0.5,
        "diffusion.batch_size": batch,
        "decoder.batch_size": batch,
        "decoder.statistics_pictures": 8,
    }
    if kind in ("classic", "decoder"):
        # Rounding grows from step to step in these networks. With small steps, gradients compare.
        settings |= {"vae_gan.lr": 1e-6, "vae_gan.discriminator_lr": 1e-6, "decoder.lr": 1e-6}
        settings |= {"decoder.muon_lr": 1e-6, "decoder.discriminator_lr": 1e-6}
    if kind == "classic":
        weights = ("classification", "centre", "repulsion", "spread")
        settings |= {f"vae_gan.{name}_weight": 0.1 for name in weights}
    settings["train.shard"] = kind == "sharded"
    config = tiny_config(**{name.replace(".", "__"): value for name, value in settings.items()})
    family = "classic" if kind == "classic" else "swift"
    shape = AutoencoderConfig(family=family, width=16, size=32, channels=1, blocks=1)
    accelerator = make_accelerator("fp32", alone=alone)
    if kind in ("vae_gan", "classic"):
        stage: Stage = VaeGanStage(
            shape, config.vae_gan, config.train, images, images, accelerator, say=lambda text: None
        )
        return stage, config, accelerator
    torch.manual_seed(1)
    autoencoder = build_autoencoder(shape, images.spec)
    latents = FixedLatents(images, autoencoder.latent_shape)
    if kind in ("diffusion", "sharded"):
        stage = LatentDiffusionStage(
            cast(DenoiserConfig, config.denoiser),
            config.diffusion,
            config.train,
            images.spec,
            latents,
            None,
            accelerator,
        )
        return stage, config, accelerator
    generated = torch.randn(24, *autoencoder.latent_shape)
    stage = DecoderFinishStage(
        config.decoder,
        config.vae_gan,
        config.train,
        autoencoder,
        None,
        build_perceptual("efficientnet-lite0"),
        images,
        images,
        latents,
        generated,
        accelerator,
    )
    return stage, config, accelerator


def train_in_group(folder: str, kinds_of: Mapping[int, Sequence[str]], out: str) -> None:
    """`train_steps` in one of several processes; the first writes what it found.

    Arguments:
        folder: Pictures.
        kinds_of: By size of the batch, the stages to train.
        out: The file.
    """
    arrays = {
        f"{batch}/{kind}/{number}/{name}": value
        for batch, kinds in kinds_of.items()
        for kind, steps in train_steps(folder, kinds, batch).items()
        for number, step in enumerate(steps)
        for name, value in step.items()
    }
    if os.environ["RANK"] == "0":  # too much for the queue that answers come back through
        np.savez(out, allow_pickle=False, **arrays)


def train_steps(
    folder: str, kinds: Sequence[str], batch: int, alone: bool = False
) -> dict[str, list[dict[str, np.ndarray]]]:
    """Of a few steps of each stage the gradients, and at the end the weights."""
    source = open_source(Path(folder))
    images = ImageSet(source, source.entries, size=32, channels=1)
    found: dict[str, list[dict[str, np.ndarray]]] = {}
    for kind in kinds:
        stage, config, accelerator = build(kind, images, batch, alone)
        log = MetricsLog(Path("metrics.jsonl"), enabled=False)
        trainer = Trainer(
            stage, Budget(images=8), config.train, accelerator, Path(), log, SilentProgress()
        )
        seen: list[dict[str, np.ndarray]] = []
        for progress in PROGRESS:
            trainer.step(progress)
            gradients = {
                f"{phase.name}.{name.removeprefix('module.')}": p.grad
                for phase in stage.phases
                for name, p in phase.module.named_parameters()
            }
            seen.append(
                {name: whole(g).numpy().copy() for name, g in gradients.items() if g is not None}
            )
        weights = {
            f"{phase.name}.{name.removeprefix('module.')}": whole(value.detach()).numpy().copy()
            for phase in stage.phases
            for name, value in phase.module.state_dict().items()
        }
        found[kind] = [*seen, weights]
    return found


def store_in_group(folder: str, kind: str, steps: int, run: str, alone: bool = False) -> None:
    """Train a stage up to so many steps, from what the run holds, with all that `fit` stores.

    Arguments:
        folder: Pictures.
        kind: Of the stage; its checkpoints lie in a folder of that name.
        steps: Of four pictures each, since the beginning.
        run: Folder for it.
        alone: Train without other processes.
    """
    source = open_source(Path(folder))
    images = ImageSet(source, source.entries, size=32, channels=1)
    stage, config, accelerator = build(kind, images, 4, alone)
    place = Path(run) / kind
    log = MetricsLog(place / "metrics.jsonl", enabled=accelerator.is_main_process)
    settings = config.train.model_copy(update={"preview_seconds": 0.01})
    trainer = Trainer(
        stage, Budget(images=4 * steps), settings, accelerator, place, log, SilentProgress()
    )
    assert trainer.train().done
