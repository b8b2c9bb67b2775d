"""The stages of a run, one after the other, inside the minutes that were promised."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from latentbloom.config import RunConfig
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.colour_factor import colours_found
from latentbloom.device import make_accelerator, using_threads
from latentbloom.files import write_json
from latentbloom.fitting.planning.plan_words import describe_plan
from latentbloom.fitting.planning.planner import Plan, make_plan
from latentbloom.fitting.previews import Previews
from latentbloom.fitting.stage_progress import StageProgress
from latentbloom.fitting.training_sets import open_sets
from latentbloom.fitting.work import Training, Work
from latentbloom.model.warm_start import open_warm_start
from latentbloom.nn.autoencoders.base import Autoencoder
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint, save_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.runs.metrics import MetricsLog
from latentbloom.train.budget import Budget
from latentbloom.train.interrupts import Interrupts
from latentbloom.train.loop import Trainer

if TYPE_CHECKING:
    from accelerate import Accelerator
    from rich.console import Console

    from latentbloom.data.audit.findings import Audit
    from latentbloom.data.sources.base import Source
    from latentbloom.model.generator import Model


class InterruptedFitError(Exception):
    """Ctrl-C was pressed; what was trained is saved."""


class Fitting:
    """One call of `fit`.

    Arguments:
        folder: The run folder.
        console: Where to talk.
        began: When the call began, by the clock.
        work: What is done; default the real work on that folder.
        clock: Seconds, growing.
    """

    def __init__(
        self,
        folder: RunFolder,
        console: Console,
        began: float,
        *,
        work: Work | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.console = console
        self.began = began
        self.work = work or Work(folder, self._say)
        self.clock = clock
        self.interrupts = Interrupts(self._say)
        self.spent_before = 0.0  # seconds of the promise that earlier calls used

    def plan(self, request: RunConfig, source: Source, audit: Audit) -> tuple[RunConfig, Plan]:
        """Measure the machine, choose what was left open, and say so."""
        if request.train.start_from:
            request = open_warm_start(request.train.start_from).fill_in(request)
        size = request.data.size or audit.suggested_size
        channels = request.data.channels or audit.channels
        entries = audit.kept(source.entries, "train")
        with self.console.status("Measuring this machine ..."):
            machine, precision, speeds = self.work.measure(request, source, entries, size, channels)
        speeds = replace(speeds, set_up=self.clock() - self.began)
        count = len(entries)
        config, plan = make_plan(request, speeds, count=count, size=size, channels=channels)
        config = config.model_copy(
            update={
                "data": config.data.model_copy(update={"size": size, "channels": channels}),
                "train": config.train.model_copy(
                    update={"precision": precision, "threads": speeds.threads}
                ),
            }
        )
        for line in describe_plan(config, plan, machine, count):
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
        accelerator = make_accelerator(config.train.precision)
        if accelerator.num_processes > 1:
            self._say(f"{accelerator.num_processes} processes.")
        train, val = open_sets(config.data, source, audit)
        if accelerator.is_main_process and colours_found(source) is not None:
            from latentbloom.figures.draw import draw_figures

            for path in draw_figures(None, val, self.folder.path, train=train, what=["colours"]):
                self._say(f"Colours as they were found: {path}")
        previews = Previews(self.folder.path, config, train, val, self._say)
        try:
            with self.interrupts.heard(), using_threads(config.train.threads):
                autoencoder = self._autoencoder(config, plan, previews, accelerator)
                plan = self._encode(config, plan, autoencoder, previews, accelerator)
                if only_autoencoder:
                    return None
                self._denoiser(config, plan, previews, autoencoder, accelerator)
        except InterruptedFitError:
            return self._leave(train, val, accelerator)
        if not accelerator.is_main_process:
            return None
        return self.work.finish(train, val, self._seconds_left(config, plan), self.console)

    def _autoencoder(
        self,
        config: RunConfig,
        plan: Plan,
        previews: Previews,
        accelerator: Accelerator,
    ) -> Autoencoder:
        from latentbloom.model.autoencoder import load_autoencoder

        if checkpoint_exists(self.folder.autoencoder):
            return load_autoencoder(self.folder.autoencoder)[0].to(accelerator.device)
        assert config.autoencoder is not None
        if config.autoencoder.family == "pixel":  # nothing to train
            return build_autoencoder(config.autoencoder).to(accelerator.device)
        training = self.work.vae_gan(config, previews, accelerator)
        budget = _budget(config.train.vae_gan_images, plan.vae_gan_seconds)
        self._train(training, budget, config, accelerator, "Stage 1, VAE-GAN")
        model = training.stage.ema.module
        assert isinstance(model, Autoencoder)
        return model

    def _encode(
        self,
        config: RunConfig,
        plan: Plan,
        autoencoder: Autoencoder,
        previews: Previews,
        accelerator: Accelerator,
    ) -> Plan:
        if accelerator.is_main_process:
            if not checkpoint_exists(self.folder.autoencoder):
                self.work.encode(config, autoencoder, previews, accelerator)
            self._settle(config, plan)
        accelerator.wait_for_everyone()
        return Plan(**json.loads(self.folder.request.read_text(encoding="utf-8"))["plan"])

    def _settle(self, config: RunConfig, plan: Plan) -> None:
        """Give stage 2 what the clock has left for it; once, so that resuming changes nothing."""
        started = checkpoint_exists(self.folder.path / "conditional_diffusion_last")
        if config.train.minutes is None or plan.diffusion_seconds is None or started:
            return
        left = self._seconds_left(config, plan) - plan.finish_seconds
        plan = plan.model_copy(update={"diffusion_seconds": max(left, 1.0)})
        stored = json.loads(self.folder.request.read_text(encoding="utf-8"))
        write_json(self.folder.request, stored | {"plan": plan.model_dump(mode="json")})

    def _denoiser(
        self,
        config: RunConfig,
        plan: Plan,
        previews: Previews,
        autoencoder: Autoencoder,
        accelerator: Accelerator,
    ) -> None:
        final = self.folder.path / "conditional_diffusion_final"
        if checkpoint_exists(final):
            return
        training = self.work.diffusion(config, autoencoder, previews, accelerator)
        budget = _budget(config.train.diffusion_images, plan.diffusion_seconds)
        self._train(training, budget, config, accelerator, "Stage 2, diffusion")
        if accelerator.is_main_process:
            save_checkpoint(
                final, {"model": training.stage.ema.module.state_dict()}, training.stage.meta()
            )
        accelerator.wait_for_everyone()

    def _train(
        self,
        training: Training,
        budget: Budget,
        config: RunConfig,
        accelerator: Accelerator,
        title: str,
    ) -> None:
        main = accelerator.is_main_process
        log = MetricsLog(self.folder.metrics, enabled=main)
        with StageProgress(title, self.console, enabled=main) as bar:
            trainer = Trainer(
                training.stage,
                budget,
                config.train,
                accelerator,
                self.folder.path,
                log,
                bar,
                should_stop=lambda: self.interrupts.stopping,
                at_epoch=training.at_epoch,
                at_preview=training.at_preview,
                clock=self.clock,
            )
            position = trainer.train()
        if not position.done:
            raise InterruptedFitError

    def _leave(self, train: ImageSet, val: ImageSet, accelerator: Accelerator) -> Model | None:
        if not accelerator.is_main_process:
            return None
        from latentbloom.fitting.finish import finish_early

        model = finish_early(self.folder, train, val, self.console)
        self._say(f"Stopped and saved in {self.folder.path}. The same command goes on from here.")
        return model

    def _seconds_left(self, config: RunConfig, plan: Plan) -> float:
        """Seconds of the promise that are not used up, over all calls."""
        if config.train.minutes is None:
            return plan.finish_seconds
        spent = self.clock() - self.began
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
