"""What fresh networks start from: a finished run, the starter autoencoder, or nothing."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from latentbloom.conditions import ConditionSpec
from latentbloom.config import RunConfig
from latentbloom.model.starter import (
    denoiser_suits,
    start_denoiser_from_starter,
    start_from_starter,
    starter_suits,
)
from latentbloom.model.warm_start import open_warm_start
from latentbloom.runs.checkpoint import checkpoint_exists
from latentbloom.runs.folder import RunFolder

Say = Callable[[str], None]
Start = Callable[[nn.Module], None] | None


def autoencoder_start(folder: RunFolder, config: RunConfig, say: Say) -> Start:
    """What gives a fresh autoencoder its first weights; None where stage 1 has begun.

    Arguments:
        folder: The run folder.
        config: Settings of the run; the autoencoder's shape is chosen.
        say: Receives what carried over.
    """
    if checkpoint_exists(folder.path / "vae_gan_last"):
        return None  # a stage that has begun has weights of its own
    if config.train.start_from:
        run = open_warm_start(config.train.start_from)
        return lambda module: say(
            f"From {run.run}: {run.start_autoencoder(module).describe('autoencoder')}"
        )
    assert config.autoencoder is not None
    if not config.train.starter or not starter_suits(config.autoencoder):
        return None

    def start(module: nn.Module) -> None:
        start_from_starter(module)
        say("Stage 1 starts from the packaged autoencoder (--train.starter no: from nothing).")

    return start


def denoiser_start(folder: RunFolder, config: RunConfig, spec: ConditionSpec, say: Say) -> Start:
    """What gives a fresh denoiser its first weights; None where stage 2 has begun.

    Arguments:
        folder: The run folder.
        config: Settings of the run.
        spec: The factors.
        say: Receives what carried over.
    """
    if checkpoint_exists(folder.path / "conditional_diffusion_last"):
        return None
    if config.train.start_from:
        run = open_warm_start(config.train.start_from)
        return lambda module: say(
            f"From {run.run}: "
            + run.start_denoiser(module, spec, config.diffusion).describe("denoiser")
        )
    if not config.train.starter or not denoiser_suits(config):
        return None

    def start(module: nn.Module) -> None:
        start_denoiser_from_starter(module)
        say("Stage 2 starts from the packaged denoiser.")

    return start
