"""Begin a run in a new folder, or resume the run that the folder holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from latentbloom.config.stage_settings import KL_WEIGHT
from latentbloom.errors import RunFolderError
from latentbloom.fitting.opening.audit_together import audit_together
from latentbloom.fitting.opening.processes import is_first_process
from latentbloom.fitting.opening.stored_plan import StoredPlan
from latentbloom.fitting.planning.plan_words import describe_plan
from latentbloom.fitting.planning.planner import make_plan
from latentbloom.latents.cache import MANIFEST
from latentbloom.model.warm_start import open_warm_start
from latentbloom.runs.names import names_of_values, record_names
from latentbloom.storage.disk import make_folder, remove
from latentbloom.storage.files import check_writable

if TYPE_CHECKING:
    from rich.console import Console

    from latentbloom.config import RunConfig
    from latentbloom.data.audit.findings import Audit
    from latentbloom.data.sources.base import Source
    from latentbloom.fitting.planning.planner import Plan
    from latentbloom.fitting.work import Work
    from latentbloom.runs.folder import RunFolder


@dataclass(frozen=True)
class OpenedRun:
    """A run that is ready to train.

    Attributes:
        config: Its settings, nothing open.
        plan: How its time is spent.
        source: Its pictures.
        audit: What the audit found in them.
    """

    config: RunConfig
    plan: Plan
    source: Source
    audit: Audit


def begin(
    folder: RunFolder,
    request: RunConfig,
    work: Work,
    console: Console,
    *,
    seconds_so_far: Callable[[], float],
    dry_run: bool = False,
    several_processes: bool = False,
    audited: tuple[Source, Audit] | None = None,
    claim: Callable[[], None] = lambda: None,
) -> OpenedRun:
    """Audit the pictures, make a plan and write both to the run folder.

    Nothing is written before the plan stands. `plan.json` is written last: a folder with it
    holds a run.

    Arguments:
        folder: The run folder.
        request: The settings that were asked for.
        work: Measures the machine.
        console: Where to print.
        seconds_so_far: Seconds since `fit` was called.
        dry_run: Write nothing.
        several_processes: Train in several where that is faster and the request leaves it open.
        audited: The source and its audit, where several processes have made it together.
        claim: Called once the folder is there; raises where another process uses it.

    Raises:
        RunFolderError: Another process has begun a run in the folder meanwhile.
        SourceError: The pictures cannot be trained on.
        ConfigError: The settings do not work together, or the minutes are too few.
        OSError: The run folder cannot be written.
    """
    from latentbloom.data.audit.changes import record_pictures
    from latentbloom.data.sources.colour_factor import save_colours
    from latentbloom.data.sources.tables.table_source import bins_of

    if not dry_run:  # better said before the audit than after it
        check_writable(folder.path)
    source, audit = audited or audit_together(request, console)
    config, plan = plan_run(
        request,
        source,
        audit,
        work,
        console,
        seconds_so_far=seconds_so_far,
        several_processes=several_processes,
    )
    config = config.updated({"data.bins": bins_of(source)})
    if not dry_run:
        make_folder(folder.path)
        claim()
        if folder.started():
            raise RunFolderError(
                f"Another process has begun a run in {folder.path} meanwhile. Run the command "
                "again to see whether it is the same, or choose another --out."
            )
        audit.save(folder.audit)
        record_pictures(source, audit, folder.pictures)
        save_colours(source, folder.colours)
        record_names(folder.path, names_of_values({f.name: f.values for f in source.spec.factors}))
        config.save(folder.config)
        StoredPlan(request=request, plan=plan).save(folder.request)
    return OpenedRun(config, plan, source, audit)


def plan_run(
    request: RunConfig,
    source: Source,
    audit: Audit,
    work: Work,
    console: Console,
    *,
    seconds_so_far: Callable[[], float],
    several_processes: bool = False,
) -> tuple[RunConfig, Plan]:
    """Measure the machine, choose what the request leaves open, and print the plan."""
    if request.train.start_from:
        request = open_warm_start(request.train.start_from).fill_in(request)
    size = request.data.size or audit.suggested_size
    channels = request.data.channels or audit.channels
    entries = audit.kept(source.entries, "train")
    request = request.updated({"data.size": size, "data.channels": channels})
    with console.status("Measuring this machine ..."):
        machine, precision, speeds = work.measure(
            request, source, entries, size, channels, several_processes=several_processes
        )
    speeds = replace(speeds, set_up=seconds_so_far())
    count = len(entries)
    config, plan = make_plan(request, speeds, count=count, size=size, channels=channels)
    chosen = {
        "train.precision": precision,
        "train.threads": speeds.threads,
        "train.processes": speeds.processes,
    }
    config = config.updated(chosen)  # checks the chosen networks, too
    for line in describe_plan(config, plan, machine, count):
        console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
    return config, plan


def resume(
    folder: RunFolder,
    request: RunConfig,
    console: Console,
    *,
    accept_changed_data: bool = False,
) -> OpenedRun:
    """Open the run that a folder holds.

    Arguments:
        folder: The run folder.
        request: The settings that are asked for now.
        console: Where to print.
        accept_changed_data: Continue although pictures were added, removed or changed.

    Raises:
        RunFolderError: The run was begun with other settings.
        SourceError: Its pictures changed, or are not there any more.
    """
    from latentbloom.data.audit.changes import PinnedSplits, check_pictures, record_pictures
    from latentbloom.data.audit.findings import Audit
    from latentbloom.data.sources.open import open_source

    stored = StoredPlan.load(folder.request)
    free = {"train": {"processes", "trackers"}}  # any of them continues a run
    if request.vae_gan.kl_weight is None and stored.request.vae_gan.kl_weight == KL_WEIGHT:
        free["vae_gan"] = {"kl_weight"}  # an earlier version wrote down what nobody asked for
    changed = _differences(
        stored.request.model_dump(mode="json", exclude=free),
        request.model_dump(mode="json", exclude=free),
    )
    if changed:
        raise RunFolderError(
            f"{folder.path} is a run with other settings: {'; '.join(changed)}. Give the same "
            "settings to resume it, or another --out to begin a new run."
        )
    config = folder.load_config()
    if request.train.processes is not None:
        config = config.updated({"train.processes": request.train.processes})
    config = config.updated({"train.trackers": request.train.trackers})
    # The edges of bins stay where they were when the run began, whatever pictures came since.
    data = request.data.model_copy(update={"bins": config.data.bins})
    source = open_source(data, seed=request.train.seed, colours=folder.colours)
    audit = Audit.load(folder.audit)

    def say(text: str) -> None:
        console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    checked = check_pictures(source, audit, folder.pictures, accept=accept_changed_data, say=say)
    # A finished run keeps the list of what it was trained on.
    if checked is not source and not stored.finished and is_first_process():
        if isinstance(checked, PinnedSplits) and checked.replaced:
            forget_latents(folder)
        record_pictures(checked, audit, folder.pictures)  # new pictures keep their split, too
    if stored.request.train.trackers != request.train.trackers and is_first_process():
        asked = stored.request.updated({"train.trackers": request.train.trackers})
        stored.model_copy(update={"request": asked}).save(folder.request)
    if not stored.finished:
        say(f"Resuming {folder.path}.")
    return OpenedRun(config, stored.plan, checked, audit)


def forget_latents(folder: RunFolder) -> None:
    """Make stage 2 encode the pictures again: their names are the same, their content is not."""
    for split in ("train", "val"):
        remove(folder.latents(split) / MANIFEST)


def reopen(folder: RunFolder) -> OpenedRun:
    """The run that another process has just opened and checked."""
    from rich.console import Console

    request = StoredPlan.load(folder.request).request
    return resume(folder, request, Console(quiet=True), accept_changed_data=True)


def _differences(a: Any, b: Any, name: str = "") -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [*a, *(key for key in b if key not in a)]
        found = [_differences(a.get(k), b.get(k), f"{name}.{k}".lstrip(".")) for k in keys]
        return [line for lines in found for line in lines]
    return [] if a == b else [f"{name} was {a!r}, now {b!r}"]
