"""One call of `fit`: train, in one process or several, then score, draw and report."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.errors import LatentbloomError
from latentbloom.fitting.budgets import trains_decoder
from latentbloom.fitting.opening.processes import in_group, is_first_process
from latentbloom.fitting.opening.stored_plan import StoredPlan
from latentbloom.fitting.run_time import RunTime
from latentbloom.fitting.stages import Stages
from latentbloom.fitting.training_sets import open_sets
from latentbloom.fitting.work import Work
from latentbloom.runs.checkpoint import checkpoint_exists
from latentbloom.runs.folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console

    from latentbloom.config import RunConfig
    from latentbloom.data.imageset import ImageSet
    from latentbloom.fitting.opening.open_run import OpenedRun
    from latentbloom.fitting.planning.planner import Plan
    from latentbloom.model.generator import Model


class Fitting:
    """One call of `fit`.

    Arguments:
        folder: The run folder.
        console: Where to print.
        began: When the call began, by the clock.
        work: What takes time; default the real work on that folder.
        clock: Monotonic time in seconds.
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
        self.work = work or Work(folder, self._say)
        self.time = RunTime(folder, began, clock)
        self.stages = Stages(folder, console, self.time, self.work, clock)

    def run(self, run: OpenedRun, *, only_autoencoder: bool = False) -> Model | None:
        """Train what is not trained yet, then score, draw and report.

        Arguments:
            run: What to train.
            only_autoencoder: Stop after stage 1.

        Returns:
            The model; None in every process but the first, after stage 1 alone, or when stopped
            before there was one.
        """
        try:
            return self._run(run, only_autoencoder=only_autoencoder)
        finally:
            self.stages.end_tracking()

    def _run(self, run: OpenedRun, *, only_autoencoder: bool) -> Model | None:
        config, plan = run.config, run.plan
        finished = self._finished()
        self.time.count_earlier_calls(plan)
        if self._wants_processes(run):
            done = self._run_in_group(config, only_autoencoder)
            return self._stopped_model() if not (done and only_autoencoder) else None
        train, val = open_sets(config.data, run.source, run.audit)
        if not self.stages.train(run, train, val, only_autoencoder=only_autoencoder):
            return self._stopped_model() if is_first_process() else None
        if only_autoencoder:
            return None
        if finished:
            self._say(f"{self.folder.path} is finished: nothing to do.")
            return self.work.model() if is_first_process() else None
        return self._finish(config, plan, train, val)

    def _finish(
        self, config: RunConfig, plan: Plan, train: ImageSet, val: ImageSet
    ) -> Model | None:
        """Score, draw and report; the model in the first process, None in the others."""
        left = self.time.left(config, plan)
        if not is_first_process():
            self.work.finish(train, val, left, self.console)
            return None
        tracking = self.stages.track(config)
        try:
            return self.work.finish(train, val, left, self.console)
        finally:
            tracking.scores()
            tracking.pictures()

    def _wants_processes(self, run: OpenedRun) -> bool:
        """Whether there is something to train, and several processes of their own are to do it."""
        trained = checkpoint_exists(self.folder.final_denoiser) and not trains_decoder(
            run.config, run.plan, self.folder
        )
        return _processes(run.config) > 1 and not in_group() and not trained

    def _run_in_group(self, config: RunConfig, only_autoencoder: bool) -> bool:
        """`run` in several new processes.

        Returns:
            Whether training is complete; False when it was stopped.
        """
        from latentbloom.fitting.workers import run_processes

        args = self.folder.path, self.time.began, only_autoencoder
        threads = config.train.threads or 1
        count = _processes(config)
        return bool(run_processes(run_in_group, args, count=count, threads=threads))

    def _stopped_model(self) -> Model | None:
        """The model as far as it was trained; None before stage 2 has begun."""
        with contextlib.suppress(LatentbloomError):
            return self.work.model()
        return None

    def _finished(self) -> bool:
        return StoredPlan.load(self.folder.request).finished and checkpoint_exists(
            self.folder.final_denoiser
        )

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, emoji=False, highlight=False)


def _processes(config: RunConfig) -> int:
    return min(config.train.processes or 1, os.cpu_count() or 1)


def run_in_group(folder: Path, began: float, only_autoencoder: bool) -> bool:
    """`Fitting.run` of the run that a folder holds, in one of several new processes.

    Arguments:
        folder: The run folder.
        began: When the call of `fit` began, by the clock that all processes share.
        only_autoencoder: Stop after stage 1.

    Returns:
        Whether training is complete; False when it was stopped.
    """
    from rich.console import Console

    from latentbloom.fitting.opening.open_run import reopen

    run = RunFolder(folder)
    opened = reopen(run)
    fitting = Fitting(run, Console(quiet=not is_first_process()), began)
    fitting.run(opened, only_autoencoder=only_autoencoder)
    return checkpoint_exists(run.autoencoder if only_autoencoder else run.final_denoiser)
