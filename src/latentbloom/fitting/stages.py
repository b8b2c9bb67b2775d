"""The stages of a run, one after the other, inside the promised minutes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.config import RunConfig
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.colour_factor import colours_found
from latentbloom.device import make_accelerator, using_threads
from latentbloom.fitting.budgets import budget_of, check_batches, trains_decoder
from latentbloom.fitting.opening.stored_plan import StoredPlan
from latentbloom.fitting.planning.fair_share import FairShare, fair_share_of
from latentbloom.fitting.previews import Previews
from latentbloom.fitting.run_time import RunTime
from latentbloom.fitting.stage_progress import StageProgress
from latentbloom.fitting.tracking.session import Tracking
from latentbloom.fitting.work import Training, Work
from latentbloom.nn.autoencoders.base import Autoencoder
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.runs.checkpoint import checkpoint_exists, save_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.runs.metrics import MetricsLog
from latentbloom.sharing import Group
from latentbloom.train.budget import Budget
from latentbloom.train.interrupts import Interrupts
from latentbloom.train.loop import Trainer

if TYPE_CHECKING:
    from accelerate import Accelerator
    from rich.console import Console

    from latentbloom.fitting.opening.open_run import OpenedRun
    from latentbloom.fitting.planning.planner import Plan


SHARE_TO_GENERATE = 0.3
"""Share of stage 3 that generating its latents may take."""


class InterruptedFitError(Exception):
    """Ctrl-C was pressed; what was trained is saved."""


class Stages:
    """Trains the stages of a run in this process, together with those around it.

    Arguments:
        folder: The run folder.
        console: Where to print.
        time: How much of the promised minutes is used.
        work: What takes time.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        folder: RunFolder,
        console: Console,
        time: RunTime,
        work: Work,
        clock: Callable[[], float],
    ) -> None:
        self.folder = folder
        self.console = console
        self.time = time
        self.work = work
        self.clock = clock
        self.interrupts = Interrupts(self._say)
        self.fair_share: FairShare | None = None
        self.tracking: Tracking | None = None

    def track(self, config: RunConfig) -> Tracking:
        """The trackers that the settings name; they are started by the first call."""
        if self.tracking is None:
            self.tracking = Tracking.of(self.folder.path, config.train, self._say)
        return self.tracking

    def end_tracking(self) -> None:
        """Send what waits for trackers, and end them."""
        if self.tracking is not None:
            self.tracking.close()

    def train(
        self, run: OpenedRun, train: ImageSet, val: ImageSet, *, only_autoencoder: bool = False
    ) -> bool:
        """Train what is not trained yet.

        Arguments:
            run: What to train.
            train: Training pictures.
            val: Held-out pictures, may be empty.
            only_autoencoder: Stop after stage 1.

        Returns:
            Whether training is complete; False when it was stopped.
        """
        config, plan = run.config, run.plan
        accelerator = make_accelerator(config.train.precision)
        check_batches(config, accelerator, self._say)
        previews = Previews(self.folder.path, config, train, val, self._say)
        if accelerator.is_main_process and colours_found(run.source) is not None:
            previews.colours()
        self.fair_share = fair_share_of(config.train, self._say)
        try:
            with self.interrupts.heard(), using_threads(config.train.threads):
                autoencoder = self._autoencoder(config, plan, previews, accelerator)
                plan = self._encode(config, plan, autoencoder, previews, accelerator)
                if not only_autoencoder:
                    self._denoiser(config, plan, previews, autoencoder, accelerator)
                    self._decoder(config, plan, previews, autoencoder, accelerator)
        except InterruptedFitError:
            if accelerator.is_main_process:
                self._leave(train, val)
            return False
        return True

    def _autoencoder(
        self, config: RunConfig, plan: Plan, previews: Previews, accelerator: Accelerator
    ) -> Autoencoder:
        from latentbloom.model.autoencoder import load_autoencoder

        if checkpoint_exists(self.folder.autoencoder):
            return load_autoencoder(self.folder.autoencoder)[0].to(accelerator.device)
        assert config.autoencoder is not None
        if config.autoencoder.family == "pixel":  # nothing to train
            return build_autoencoder(config.autoencoder).to(accelerator.device)
        training = self.work.vae_gan(config, previews, accelerator)
        budget = budget_of(config.train.vae_gan_images, plan.vae_gan_seconds)
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
        """Encode the pictures where that is not done, or where the latents got lost."""
        group = Group(accelerator.process_index, accelerator.num_processes)
        # Asked on one process, so that all do the same.
        if not group.same(group.first and self.work.encoded(config, previews)):
            if checkpoint_exists(self.folder.autoencoder):
                self._say("Latents are missing, broken or of other pictures: encoding again.")
            self.work.encode(config, autoencoder, previews, accelerator)
        if group.first:
            self._settle(config, plan)
        accelerator.wait_for_everyone()
        return StoredPlan.load(self.folder.request).plan

    def _settle(self, config: RunConfig, plan: Plan) -> None:
        """Give stage 2 the time that is left for it; once, so that resuming changes nothing."""
        started = checkpoint_exists(self.folder.path / "conditional_diffusion_last")
        if config.train.minutes is None or plan.diffusion_seconds is None or started:
            return
        left = self.time.left(config, plan) - plan.finish_seconds - plan.decoder_seconds
        plan = plan.model_copy(update={"diffusion_seconds": max(left, 1.0)})
        stored = StoredPlan.load(self.folder.request)
        stored.model_copy(update={"plan": plan}).save(self.folder.request)

    def _denoiser(
        self,
        config: RunConfig,
        plan: Plan,
        previews: Previews,
        autoencoder: Autoencoder,
        accelerator: Accelerator,
    ) -> None:
        if checkpoint_exists(self.folder.final_denoiser):
            return
        training = self.work.diffusion(config, autoencoder, previews, accelerator)
        budget = budget_of(config.train.diffusion_images, plan.diffusion_seconds)
        self._train(training, budget, config, accelerator, "Stage 2, diffusion")
        self._keep(training, self.folder.final_denoiser, accelerator)

    def _decoder(
        self,
        config: RunConfig,
        plan: Plan,
        previews: Previews,
        autoencoder: Autoencoder,
        accelerator: Accelerator,
    ) -> None:
        """Train the decoder on what the denoiser generates, where the plan gives it time."""
        if not trains_decoder(config, plan, self.folder):
            return
        images = config.train.decoder_images
        seconds = None if images is not None else SHARE_TO_GENERATE * plan.decoder_seconds
        training = self.work.decoder(config, autoencoder, previews, accelerator, seconds)
        budget = budget_of(images, (1.0 - SHARE_TO_GENERATE) * plan.decoder_seconds)
        self._train(training, budget, config, accelerator, "Stage 3, decoder")
        self._keep(training, self.folder.decoder, accelerator)

    def _train(
        self,
        training: Training,
        budget: Budget,
        config: RunConfig,
        accelerator: Accelerator,
        title: str,
    ) -> None:
        main, path = accelerator.is_main_process, self.folder.path
        tracking = self.track(config) if main else Tracking(path, (), self._say)
        log = MetricsLog(self.folder.metrics, enabled=main, on_line=tracking.line)
        with StageProgress(title, self.console, enabled=main) as bar:
            trainer = Trainer(
                training.stage,
                budget,
                config.train,
                *(accelerator, path, log, bar),
                should_stop=self._after_a_step,
                at_epoch=training.at_epoch,
                at_preview=tracking.with_pictures(training.at_preview),
                clock=self.clock,
            )
            position = trainer.train()
        tracking.pictures()
        if not position.done:
            raise InterruptedFitError

    def _keep(self, training: Training, place: Path, accelerator: Accelerator) -> None:
        """Write the averaged weights of a stage that has ended."""
        training.stage.ema.gather()
        if accelerator.is_main_process:
            weights = training.stage.ema.module.state_dict()
            save_checkpoint(place, {"model": weights}, training.stage.meta())
        accelerator.wait_for_everyone()

    def _leave(self, train: ImageSet, val: ImageSet) -> None:
        from latentbloom.fitting.finish import finish_early

        finish_early(self.folder, train, val, self.console)
        self._say(f"Stopped and saved in {self.folder.path}. The same command resumes from here.")

    def _after_a_step(self) -> bool:
        """Make room for other programs; whether Ctrl-C was pressed."""
        if self.fair_share is not None:
            self.fair_share.look()
        return self.interrupts.stopping

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
