"""The stages of a run, one after the other, inside the minutes that were promised."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from latentbloom.config import RunConfig
from latentbloom.data.colour_source import colours_found
from latentbloom.data.imageset import ImageSet
from latentbloom.data.latents import Latents
from latentbloom.nn.autoencoder import Autoencoder, build_autoencoder
from latentbloom.run import RunFolder, write_json
from latentbloom.train.budget import Budget
from latentbloom.train.checkpoint import checkpoint_exists, load_checkpoint, save_checkpoint
from latentbloom.train.encoding import open_latents, prepare_latents
from latentbloom.train.epochs import EpochEnds
from latentbloom.train.interrupts import Interrupts
from latentbloom.train.latent_diffusion import LatentDiffusionStage
from latentbloom.train.logging import MetricsLog, StageProgress
from latentbloom.train.looking import Looking
from latentbloom.train.loop import Trainer
from latentbloom.train.machine import default_device, make_accelerator, measure_machine
from latentbloom.train.planner import Plan, describe_plan, make_plan, models_to_time
from latentbloom.train.sets import open_sets
from latentbloom.train.speeds import Speeds, measure_speeds
from latentbloom.train.stage import Stage
from latentbloom.train.vae_gan import VaeGanStage

if TYPE_CHECKING:
    from accelerate import Accelerator
    from rich.console import Console

    from latentbloom.data.audit_report import Audit
    from latentbloom.data.source import Source
    from latentbloom.model import Model


class InterruptedFitError(Exception):
    """Ctrl-C was pressed; what was trained is saved."""


class Fitting:
    """One call of `fit`.

    Arguments:
        folder: The run folder.
        console: Where to talk.
        began: When the call began, by `time.monotonic`.
    """

    def __init__(self, folder: RunFolder, console: Console, began: float) -> None:
        self.folder = folder
        self.console = console
        self.began = began
        self.interrupts = Interrupts(self._say)
        self.spent_before = 0.0  # seconds of the promise that earlier calls used

    def plan(self, request: RunConfig, source: Source, audit: Audit) -> tuple[RunConfig, Plan]:
        """Measure the machine, choose what was left open, and say so."""
        device = default_device()
        size = request.data.size or audit.suggested_size
        channels = request.data.channels or audit.channels
        machine = measure_machine(device)
        precision = request.train.precision or machine.precision
        with self.console.status("Measuring this machine ..."):
            autoencoder, denoiser = models_to_time(request, size=size, channels=channels)
            speeds = measure_speeds(
                request,
                autoencoder,
                denoiser,
                source.spec,
                device=device,
                precision=precision,
            )
        speeds = Speeds(speeds.images, speeds.latents, time.monotonic() - self.began)
        count = len(audit.kept(source.entries, "train"))
        config, plan = make_plan(request, speeds, count=count, size=size, channels=channels)
        config = config.model_copy(
            update={
                "data": config.data.model_copy(update={"size": size, "channels": channels}),
                "train": config.train.model_copy(update={"precision": precision}),
            }
        )
        for line in describe_plan(config, plan, machine.describe(), count):
            self._say(line)
        return config, plan

    def run(
        self,
        config: RunConfig,
        plan: Plan,
        source: Source,
        audit: Audit,
        *,
        only_autoencoder: bool = False,
    ) -> Model | None:
        """Train what is not trained yet, then score, draw and report; or end after stage 1."""
        self.spent_before = self._spent_before(plan)
        accelerator = make_accelerator(config)
        if accelerator.num_processes > 1:
            self._say(f"{accelerator.num_processes} processes.")
        train, val = open_sets(config.data, source, audit)
        if accelerator.is_main_process and colours_found(source) is not None:
            from latentbloom.show.draw import draw_figures

            for path in draw_figures(None, val, self.folder.path, train=train, what=["colours"]):
                self._say(f"Colours as they were found: {path}")
        looking = Looking(self.folder.path, config, train, val)
        try:
            with self.interrupts.heard():
                autoencoder = self._autoencoder(config, plan, looking, accelerator)
                latents, held_out, plan = self._latents(
                    config, plan, autoencoder, train, val, accelerator
                )
                if only_autoencoder:
                    return None
                self._denoiser(config, plan, looking, autoencoder, latents, held_out, accelerator)
        except InterruptedFitError:
            return self._leave(train, val, accelerator)
        if not accelerator.is_main_process:
            return None
        from latentbloom.train.finish import finish

        return finish(self.folder, train, val, self._seconds_left(config, plan), self.console)

    def _autoencoder(
        self,
        config: RunConfig,
        plan: Plan,
        looking: Looking,
        accelerator: Accelerator,
    ) -> Autoencoder:
        from latentbloom.coder import load_autoencoder

        if checkpoint_exists(self.folder.autoencoder):
            return load_autoencoder(self.folder.autoencoder)[0].to(accelerator.device)
        assert config.autoencoder is not None
        if config.autoencoder.family == "pixel":  # nothing to train
            return build_autoencoder(config.autoencoder).to(accelerator.device)
        stage = VaeGanStage(
            config.autoencoder,
            config.vae_gan,
            config.train,
            looking.train,
            looking.val,
            accelerator,
            mirror=config.data.mirror,
            say=self._say,
        )
        budget = _budget(config.train.vae_gan_images, plan.vae_gan_seconds)
        model = stage.ema.module
        assert isinstance(model, Autoencoder)
        ends = EpochEnds(
            stage,
            self.folder.path,
            draw_every=config.train.visualize_epochs,
            draw=lambda epoch: looking.autoencoder_epoch(model, epoch),
        )
        self._train(stage, budget, config, accelerator, "Stage 1, VAE-GAN", ends)
        return model

    def _latents(
        self,
        config: RunConfig,
        plan: Plan,
        autoencoder: Autoencoder,
        train: ImageSet,
        val: ImageSet,
        accelerator: Accelerator,
    ) -> tuple[Latents, Latents | None, Plan]:
        if accelerator.is_main_process:
            if not checkpoint_exists(self.folder.autoencoder):
                prepare_latents(
                    self.folder, config, autoencoder, train, val, accelerator.device, self._say
                )
            plan = self._settle(config, plan)
        accelerator.wait_for_everyone()
        plan = Plan(**json.loads(self.folder.request.read_text(encoding="utf-8"))["plan"])
        return *open_latents(self.folder, config, train, val), plan

    def _settle(self, config: RunConfig, plan: Plan) -> Plan:
        """Give stage 2 what the clock has left for it; once, so that resuming changes nothing."""
        started = checkpoint_exists(self.folder.path / "conditional_diffusion_last")
        if config.train.minutes is None or plan.diffusion_seconds is None or started:
            return plan
        left = self._seconds_left(config, plan) - plan.finish_seconds
        plan = plan.model_copy(update={"diffusion_seconds": max(left, 1.0)})
        stored = json.loads(self.folder.request.read_text(encoding="utf-8"))
        write_json(self.folder.request, stored | {"plan": plan.model_dump(mode="json")})
        return plan

    def _denoiser(
        self,
        config: RunConfig,
        plan: Plan,
        looking: Looking,
        autoencoder: Autoencoder,
        latents: Latents,
        held_out: Latents | None,
        accelerator: Accelerator,
    ) -> None:
        final = self.folder.path / "conditional_diffusion_final"
        if checkpoint_exists(final):
            return
        assert config.denoiser is not None
        stage = LatentDiffusionStage(
            config.denoiser,
            config.diffusion,
            config.train,
            looking.train.spec,
            latents,
            held_out,
            accelerator,
            preview=lambda denoiser, path: looking.preview(autoencoder, denoiser, path),
        )
        budget = _budget(config.train.diffusion_images, plan.diffusion_seconds)
        ends = EpochEnds(
            stage,
            self.folder.path,
            keep_every=config.train.checkpoint_epochs,
            draw_every=config.train.visualize_epochs,
            draw=lambda _: looking.diffusion_epoch(autoencoder, stage.averaged()),
        )
        self._train(stage, budget, config, accelerator, "Stage 2, diffusion", ends)
        if accelerator.is_main_process:
            save_checkpoint(final, {"model": stage.ema.state_dict()}, stage.meta())
        accelerator.wait_for_everyone()

    def _train(
        self,
        stage: Stage,
        budget: Budget,
        config: RunConfig,
        accelerator: Accelerator,
        title: str,
        at_epoch: EpochEnds,
    ) -> None:
        main = accelerator.is_main_process
        log = MetricsLog(self.folder.metrics, enabled=main)
        with StageProgress(title, self.console, enabled=main) as bar:
            trainer = Trainer(
                stage,
                budget,
                config.train,
                accelerator,
                self.folder.path,
                log,
                bar,
                should_stop=lambda: self.interrupts.stopping,
                at_epoch=at_epoch,
            )
            position = trainer.train()
        if not position.done:
            raise InterruptedFitError

    def _leave(self, train: ImageSet, val: ImageSet, accelerator: Accelerator) -> Model | None:
        if not accelerator.is_main_process:
            return None
        from latentbloom.train.finish import finish_early

        model = finish_early(self.folder, train, val, self.console)
        self._say(f"Stopped and saved in {self.folder.path}. The same command goes on from here.")
        return model

    def _seconds_left(self, config: RunConfig, plan: Plan) -> float:
        """Seconds of the promise that are not used up, over all calls."""
        if config.train.minutes is None:
            return plan.finish_seconds
        spent = time.monotonic() - self.began
        return 60.0 * config.train.minutes - spent - self.spent_before

    def _spent_before(self, plan: Plan) -> float:
        """What earlier calls spent: nothing, or their setting up and their part of the stages."""
        found = [
            load_checkpoint(last, [])[1]["position"]["seconds"]
            for last in (
                self.folder.path / "vae_gan_last",
                self.folder.path / "conditional_diffusion_last",
            )
            if checkpoint_exists(last)
        ]
        return plan.spent_seconds + sum(found) if found else 0.0

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False)


def _budget(images: int | None, seconds: float | None) -> Budget:
    return Budget(images=images) if images is not None else Budget(seconds=seconds)
