"""The parts of a run that take time. `Fitting` calls them in order and gives each its seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentbloom.config import RunConfig
from latentbloom.data.imageset import ImageSet
from latentbloom.device import default_device
from latentbloom.fitting.decoder_training import decoder_stage
from latentbloom.fitting.encoding import (
    latents_ready,
    open_feature_maps,
    open_latents,
    prepare_feature_maps,
    prepare_latents,
)
from latentbloom.fitting.opening.first_weights import autoencoder_start, denoiser_start
from latentbloom.fitting.opening.processes import in_group
from latentbloom.fitting.planning.machine import measure_machine
from latentbloom.fitting.planning.planner import models_to_time
from latentbloom.fitting.planning.speeds import Speeds, measure_speeds, time_together
from latentbloom.fitting.planning.thread_choice import choose_threads
from latentbloom.fitting.previews import Previews
from latentbloom.fitting.workers import run_processes
from latentbloom.nn.autoencoders.base import Autoencoder
from latentbloom.runs.folder import RunFolder
from latentbloom.sharing import Group
from latentbloom.train.epochs import EpochEnds
from latentbloom.train.stage import Stage
from latentbloom.train.stages.latent_diffusion import LatentDiffusionStage
from latentbloom.train.stages.vae_gan import VaeGanStage

if TYPE_CHECKING:
    from accelerate import Accelerator
    from rich.console import Console

    from latentbloom.data.sources.base import Entry, Source
    from latentbloom.model.generator import Model

Say = Callable[[str], None]


@dataclass(frozen=True)
class Training:
    """A stage, and its callbacks.

    Attributes:
        stage: What is trained.
        at_epoch: Saves and draws at the ends of epochs.
        at_preview: Draws previews by the clock; None draws nothing.
    """

    stage: Stage
    at_epoch: EpochEnds
    at_preview: Callable[[], None] | None = None


class Work:
    """The work itself, for one run folder.

    Arguments:
        folder: The run folder.
        say: Receives messages for the user.
    """

    def __init__(self, folder: RunFolder, say: Say) -> None:
        self.folder = folder
        self.say = say

    def measure(
        self,
        request: RunConfig,
        source: Source,
        entries: Sequence[Entry],
        size: int,
        channels: int,
        *,
        several_processes: bool = False,
    ) -> tuple[str, str, Speeds]:
        """Time this machine.

        Arguments:
            request: The request.
            source: Reads the pictures.
            entries: Training pictures.
            size: Side of the pictures, in pixels.
            channels: 1 or 3.
            several_processes: Time several processes, too, where the request leaves that open.

        Returns:
            The machine in words, the precision ("fp32" or "bf16"), and the speeds.
        """
        device = default_device()
        machine = measure_machine(device)
        precision = request.train.precision or machine.precision
        autoencoder, denoiser = models_to_time(request, size=size, channels=channels)
        few = entries[: request.vae_gan.batch_size]
        images = ImageSet(source, few, size=size, channels=channels, fit=request.data.fit)
        models = request, autoencoder, denoiser, images, device, precision

        def together(count: int, threads: int) -> Speeds:
            found = run_processes(time_together, models, count=count, threads=threads)
            if found is None:
                raise KeyboardInterrupt
            return found

        may = several_processes or request.train.processes is not None
        speeds = choose_threads(
            lambda: measure_speeds(*models),
            request,
            device,
            together=together if may and not in_group() else None,
        )
        return machine.describe(), precision, speeds

    def vae_gan(self, config: RunConfig, previews: Previews, accelerator: Accelerator) -> Training:
        """Stage 1, untrained, and its callbacks."""
        assert config.autoencoder is not None
        stage = VaeGanStage(
            config.autoencoder,
            config.vae_gan,
            config.train,
            previews.train,
            previews.val,
            accelerator,
            mirror=config.data.mirrored,
            say=self.say,
            start=autoencoder_start(self.folder, config, self.say),
        )
        model = stage.ema.module
        assert isinstance(model, Autoencoder)
        at_epoch = EpochEnds(
            stage,
            self.folder.path,
            draw_every=config.train.visualize_epochs,
            draw=lambda epoch: previews.autoencoder_epoch(model, epoch),
        )
        return Training(stage, at_epoch, lambda: previews.autoencoder(model))

    def encoded(self, config: RunConfig, previews: Previews) -> bool:
        """Whether the autoencoder is stored and the latents are there, whole."""
        return latents_ready(self.folder, config, previews.train, previews.val)

    def encode(
        self,
        config: RunConfig,
        autoencoder: Autoencoder,
        previews: Previews,
        accelerator: Accelerator,
    ) -> None:
        """Encode all pictures, and store the autoencoder where it is not stored yet."""
        prepare_latents(
            self.folder,
            config,
            autoencoder,
            previews.train,
            previews.val,
            accelerator.device,
            self.say,
            Group(accelerator.process_index, accelerator.num_processes),
        )
        self.feature_maps(config, previews, accelerator)

    def feature_maps(self, config: RunConfig, previews: Previews, accelerator: Accelerator) -> None:
        """Write what stage 2 aligns its tokens with, where that is not there yet."""
        group = Group(accelerator.process_index, accelerator.num_processes)
        device = accelerator.device
        prepare_feature_maps(self.folder, config, previews.train, device, self.say, group)
        accelerator.wait_for_everyone()

    def diffusion(
        self,
        config: RunConfig,
        autoencoder: Autoencoder,
        previews: Previews,
        accelerator: Accelerator,
    ) -> Training:
        """Stage 2, untrained, and its callbacks."""
        assert config.denoiser is not None
        latents, held_out = open_latents(self.folder, config, previews.train, previews.val)
        self.feature_maps(config, previews, accelerator)  # a run of an earlier version has none
        stage = LatentDiffusionStage(
            config.denoiser,
            config.diffusion,
            config.train,
            previews.train.spec,
            latents,
            held_out,
            accelerator,
            say=self.say,
            start=denoiser_start(self.folder, config, previews.train.spec, self.say),
            maps=open_feature_maps(self.folder, config, previews.train),
        )
        at_epoch = EpochEnds(
            stage,
            self.folder.path,
            keep_every=config.train.checkpoint_epochs,
            draw_every=config.train.visualize_epochs,
            draw=lambda _: previews.diffusion_epoch(autoencoder, stage.averaged()),
        )
        return Training(stage, at_epoch, lambda: previews.diffusion(autoencoder, stage.averaged()))

    def decoder(
        self,
        config: RunConfig,
        autoencoder: Autoencoder,
        previews: Previews,
        accelerator: Accelerator,
        seconds: float | None = None,
    ) -> Training:
        """Stage 3, untrained; its latents are generated where they are not there yet.

        Arguments:
            config: Settings of the run.
            autoencoder: Finished stage 1.
            previews: The pictures.
            accelerator: Device, precision and processes.
            seconds: What generating may take; fewer latents are then generated.
        """
        sets = previews.train, previews.val
        stage = decoder_stage(
            self.folder, config, autoencoder, sets, accelerator, seconds=seconds, say=self.say
        )
        ends = EpochEnds(stage, self.folder.path)
        return Training(stage, ends, lambda: previews.autoencoder(stage.finished()))

    def model(self) -> Model:
        """The finished model."""
        from latentbloom.model.generator import load

        return load(self.folder.path)

    def finish(self, train: ImageSet, val: ImageSet, seconds: float, console: Console) -> Model:
        """Score, draw and report within about this many seconds."""
        from latentbloom.fitting.finish import finish

        return finish(self.folder, train, val, seconds, console, Group.joined())
