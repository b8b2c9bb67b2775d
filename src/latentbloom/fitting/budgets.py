"""When a stage ends, and whether its batches are large enough for all processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from latentbloom.config import RunConfig
from latentbloom.errors import ConfigError
from latentbloom.runs.checkpoint import checkpoint_exists
from latentbloom.runs.folder import RunFolder
from latentbloom.train.budget import Budget

if TYPE_CHECKING:
    from accelerate import Accelerator

    from latentbloom.fitting.planning.planner import Plan


def budget_of(images: int | None, seconds: float | None) -> Budget:
    """The budget in images where there is one, else the one in seconds."""
    return Budget(images=images) if images is not None else Budget(seconds=seconds)


def trains_decoder(config: RunConfig, plan: Plan, folder: RunFolder) -> bool:
    """Whether stage 3 is wanted and has not ended."""
    wanted = config.train.decoder_images is not None or plan.decoder_seconds > 0.0
    return wanted and not checkpoint_exists(folder.decoder)


def check_batches(config: RunConfig, accelerator: Accelerator, say: Callable[[str], None]) -> None:
    """Refuse batches that leave a process without pictures.

    Arguments:
        config: Settings of the run.
        accelerator: The processes.
        say: Receives the number of processes where there are several.

    Raises:
        ConfigError: Names the setting, what was found and what is allowed.
    """
    for name, size in (
        ("vae_gan.batch_size", config.vae_gan.batch_size),
        ("diffusion.batch_size", config.diffusion.batch_size),
    ):
        if size < accelerator.num_processes:
            raise ConfigError(
                f"{name} is {size}, and {accelerator.num_processes} processes share a batch. "
                f"Give at least {accelerator.num_processes}, or start fewer processes."
            )
    if accelerator.num_processes > 1:
        say(f"{accelerator.num_processes} processes.")
