"""`fit`: from a labelled set of pictures to a model, its pictures, its scores and a report."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.fitting.opening.processes import (
    connect,
    first_before_others,
    is_first_process,
    told_once,
)
from latentbloom.fitting.opening.request import build_request
from latentbloom.runs.checkpoint_files import put_in_place
from latentbloom.runs.folder import RunFolder, default_run
from latentbloom.runs.lock import RunLock

if TYPE_CHECKING:
    from rich.console import Console

    from latentbloom.config import RunConfig
    from latentbloom.model.generator import Model


def fit(
    source: str | Path | None = None,
    *,
    out: Path | str | None = None,
    minutes: float | None = None,
    preset: str | None = None,
    config: Path | str | None = None,
    overrides: dict[str, Any] | None = None,
    dry_run: bool = False,
    only_autoencoder: bool = False,
    accept_changed_data: bool = False,
    several_processes: bool = False,
    console: Console | None = None,
) -> Model | None:
    """Train a model on a source and write everything about it to a run folder.

    The same call again resumes a run that was stopped, and does nothing when the run is finished.

    Arguments:
        source: Folder of labelled pictures, or the name of a built-in source; may be left out when
            the preset or the file of settings names it.
        out: Run folder; default runs/NAME-OF-SOURCE.
        minutes: Time for everything, scores and report included; default 20.
        preset: Name of a starting configuration, default "swift".
        config: JSON file of settings, instead of a preset.
        overrides: Dotted settings, for example {"diffusion.lr": 1e-4}; they win.
        dry_run: Audit and plan only.
        only_autoencoder: Stop after stage 1; the same call without it trains stage 2.
        accept_changed_data: Resume although pictures were added, removed, relabelled or moved
            since the run began. Without it such a run is refused.
        several_processes: Train in several processes where `train.processes` is open and they are
            measured faster, as with `--processes auto`. The new processes import the script that
            calls this, so its calls must stand below `if __name__ == "__main__":`.
        console: Where to print; default the terminal.

    Returns:
        The model; None after a dry run, after stage 1 alone, or when stopped before there was one.

    Raises:
        LatentbloomError: Something that a user can fix; the message says how.
    """
    began = time.monotonic()
    console = _console(console)
    request = build_request(
        source, minutes=minutes, preset=preset, config=config, overrides=overrides
    )
    name = request.data.source if source or not preset else preset
    folder = RunFolder(Path(out) if out else default_run(name))
    folder.check_free()
    if dry_run:
        _dry_run(folder, request, began, console, accept_changed_data, several_processes)
        return None

    from latentbloom.fitting.opening.audit_together import audit_together
    from latentbloom.fitting.opening.open_run import begin, resume
    from latentbloom.fitting.whole_run import Fitting

    fitting = Fitting(folder, console, began)
    group = connect()
    audited = None
    with RunLock(folder.path) as lock:
        if group.count > 1 and not group.same(folder.started()):
            with told_once(group):
                audited = audit_together(request, console, group)
        with first_before_others(group):  # the others then find the run that it has begun
            if folder.started():
                _claim(lock)
                run = resume(folder, request, console, accept_changed_data=accept_changed_data)
            else:
                run = begin(
                    folder,
                    request,
                    fitting.work,
                    console,
                    seconds_so_far=fitting.time.so_far,
                    several_processes=several_processes,
                    audited=audited,
                    claim=lock.take,
                )
        return fitting.run(run, only_autoencoder=only_autoencoder)


def continue_training(
    run: Path | str,
    *,
    epochs: float,
    checkpoint: Path | str | None = None,
    accept_changed_data: bool = False,
    console: Console | None = None,
) -> Model | None:
    """Train stage 2 of a run for more epochs than it was begun with.

    Weights, averages, optimiser, the order of the pictures and all random numbers continue from
    the checkpoint. The learning rate depends on the share of the whole stage that is done, so it
    jumps to its value in the longer run; with `train.warmup_share` 0 and `train.decay_start` 1 it
    is constant, and the result equals that of one longer run, bit for bit. The same call again
    resumes when it was stopped, and does nothing when it is finished.

    Arguments:
        run: The run folder.
        epochs: Epochs of stage 2 in total.
        checkpoint: A `conditional_diffusion_epoch_N` of that run; default the newest state.
        accept_changed_data: As for `fit`.
        console: Where to print; default the terminal.

    Returns:
        The model; None when stopped before there was one.

    Raises:
        LatentbloomError: Something that a user can fix; the message says how.
    """
    from latentbloom.fitting.opening.extend import extend
    from latentbloom.fitting.opening.open_run import resume
    from latentbloom.fitting.opening.stored_plan import StoredPlan
    from latentbloom.fitting.whole_run import Fitting

    began = time.monotonic()
    console = _console(console)
    folder = RunFolder(Path(run))
    folder.load_config()  # refuses what is not a run
    with RunLock(folder.path) as lock:
        with first_before_others(connect()):
            _claim(lock)
            request = StoredPlan.load(folder.request).request
            opened = resume(folder, request, console, accept_changed_data=accept_changed_data)
            if is_first_process():
                place = None if checkpoint is None else Path(checkpoint)
                opened = extend(folder, opened, epochs=epochs, checkpoint=place)
        return Fitting(folder, console, began).run(opened)


def _claim(lock: RunLock) -> None:
    """Take the lock for all processes of this call, and tidy up; the first one does both."""
    if is_first_process():
        lock.take()
        put_in_place(lock.folder)


def _dry_run(
    folder: RunFolder,
    request: RunConfig,
    began: float,
    console: Console,
    accept_changed_data: bool,
    several_processes: bool,
) -> None:
    """Print what `fit` would do. The first process does it alone, and waits for nobody."""
    if not is_first_process():
        return
    from latentbloom.fitting.opening.open_run import begin, resume
    from latentbloom.fitting.work import Work

    if folder.started():
        resume(folder, request, console, accept_changed_data=accept_changed_data)
        console.print(
            f"{folder.path} holds a run with these settings; the same command without --dry-run "
            "resumes it, or does nothing when it is finished.",
            markup=False,
            emoji=False,
            highlight=False,
            soft_wrap=True,
        )
        return
    begin(
        folder,
        request,
        Work(folder, partial(console.print, markup=False, emoji=False, highlight=False)),
        console,
        seconds_so_far=lambda: time.monotonic() - began,
        dry_run=True,
        several_processes=several_processes,
    )


def _console(console: Console | None) -> Console:
    """The console, which is silent in every process but the first."""
    from latentbloom.notebook import plain_console

    console = console or plain_console()
    if not is_first_process():
        console.quiet = True
    return console
