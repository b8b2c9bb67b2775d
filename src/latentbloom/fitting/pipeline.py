"""`fit`: from a labelled set of pictures to a model, its pictures, its scores and a report."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.config import RunConfig, load_config, parse_config
from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.files import write_json
from latentbloom.presets import PRESETS, build_preset
from latentbloom.runs.folder import RunFolder, default_run

if TYPE_CHECKING:
    from accelerate import PartialState
    from rich.console import Console

    from latentbloom.data.audit.findings import Audit
    from latentbloom.data.sources.base import Source
    from latentbloom.fitting.planning.planner import Plan
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
    console: Console | None = None,
) -> Model | None:
    """Train a model on a source and leave everything about it in a run folder.

    The same call again goes on where an earlier one stopped, and does nothing when that one was
    done.

    Arguments:
        source: Folder of labelled pictures, or the name of a built-in source; may be left out where
            the preset or the file of settings names it.
        out: Run folder; default runs/NAME-OF-SOURCE.
        minutes: Time for all of it, scores and report included; default 20.
        preset: Name of a starting configuration, default "swift".
        config: JSON file of settings, instead of a preset.
        overrides: Dotted settings, for example {"diffusion.lr": 1e-4}; they win.
        dry_run: Audit and plan only.
        only_autoencoder: End after stage 1; the same call without it goes on.
        accept_changed_data: Continue a run although its pictures have changed since it began.
        console: Where to talk; default the terminal.

    Returns:
        The model; None after a dry run, after stage 1 alone, or when stopped before there was one.

    Raises:
        LatentbloomError: Something a user can mend; the message says how.
    """
    from rich.console import Console

    began = time.monotonic()
    console = console or Console()
    request = _request(source, minutes, preset, config, overrides or {})
    name = request.data.source if source or not preset else preset
    folder = RunFolder(Path(out) if out else default_run(name))
    folder.check_free()

    from latentbloom.fitting.stages import Fitting

    processes = _processes()
    if processes is not None and not processes.is_main_process:
        if dry_run:
            return None
        console.quiet = True
        processes.wait_for_everyone()  # until the first process has made the plan
    fitting = Fitting(folder, console, began)
    if folder.started():
        resolved, plan, audit, opened = _resume(
            folder, request, console, accept_changed_data=accept_changed_data
        )
    else:
        opened, audit = _audit(request, folder, console, dry_run=dry_run)
        resolved, plan = fitting.plan(request, opened, audit)
        if dry_run:
            return None
        _begin(folder, request, resolved, plan)
    if processes is not None and processes.is_main_process:
        processes.wait_for_everyone()
    if dry_run:
        console.print(f"{folder.path} has begun; the same command without --dry-run goes on.")
        return None
    return fitting.run(resolved, plan, opened, audit, only_autoencoder=only_autoencoder)


def continue_training(
    run: Path | str,
    *,
    epochs: float,
    checkpoint: Path | str | None = None,
    accept_changed_data: bool = False,
    console: Console | None = None,
) -> Model | None:
    """Train stage 2 of a run further, to a larger number of epochs than it was begun with.

    Weights, averages, optimiser, the order of the pictures and all randomness go on where the
    checkpoint left them. The learning rate depends on the share of the whole that is done, so it
    jumps to what the longer run has at that place; with `train.warmup_share` 0 and
    `train.decay_start` 1 it is constant, and the result is that of one longer run, bit for bit.
    The same call again goes on where an earlier one stopped, and does nothing when it was done.

    Arguments:
        run: The run folder.
        epochs: Passes over the pictures that stage 2 shall have made in the end.
        checkpoint: A `conditional_diffusion_epoch_N` of that run; default where it stopped.
        accept_changed_data: As for `fit`.
        console: Where to talk; default the terminal.

    Returns:
        The model; None when stopped before there was one.

    Raises:
        LatentbloomError: Something a user can mend; the message says how.
    """
    from rich.console import Console

    from latentbloom.fitting.extend import extend
    from latentbloom.fitting.stages import Fitting

    began = time.monotonic()
    console = console or Console()
    folder = RunFolder(Path(run))
    folder.load_config()  # refuses what is no run
    processes = _processes()
    first = processes is None or processes.is_main_process
    if processes is not None and not first:
        console.quiet = True
        processes.wait_for_everyone()  # until the first process has prepared the folder
    request = parse_config(json.loads(folder.request.read_text(encoding="utf-8"))["request"])
    config, plan, audit, opened = _resume(
        folder, request, console, accept_changed_data=accept_changed_data
    )
    if first:
        count = len(audit.kept(opened.entries, "train"))
        place = None if checkpoint is None else Path(checkpoint)
        config, plan = extend(folder, epochs=epochs, count=count, checkpoint=place)
        if processes is not None:
            processes.wait_for_everyone()
    return Fitting(folder, console, began).run(config, plan, opened, audit)


def _processes() -> PartialState | None:
    """The other processes of this run, when torchrun or accelerate has started several."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return None
    from accelerate import PartialState

    from latentbloom.device import default_device

    return PartialState(cpu=default_device().type == "cpu")


def _request(
    source: str | Path | None,
    minutes: float | None,
    preset: str | None,
    config: Path | str | None,
    overrides: dict[str, Any],
) -> RunConfig:
    if preset and config:
        raise ConfigError("Give a preset or a file of settings, not both.")
    base = load_config(Path(config)) if config else build_preset(preset or "swift")
    wanted = dict(overrides)
    if source is not None:
        wanted = {"data.source": str(source), **wanted}
    if minutes is not None:
        wanted["train.minutes"] = minutes
    if "sampling.guidance" in wanted:
        wanted.setdefault("sampling.tune_guidance", False)
    request = base.updated(wanted)
    if not request.data.source:
        named = ", ".join(name for name in PRESETS if build_preset(name).data.source)
        raise ConfigError(
            "There is no SOURCE: name a folder of labelled pictures or a built-in source, or a "
            f"preset that brings its own: {named}."
        )
    return request


def _audit(
    request: RunConfig, folder: RunFolder, console: Console, *, dry_run: bool
) -> tuple[Source, Audit]:
    from latentbloom.data.audit.changes import record_pictures
    from latentbloom.data.audit.run import audit_source
    from latentbloom.data.audit.table import audit_table
    from latentbloom.data.sources.colour_factor import save_colours
    from latentbloom.data.sources.open import open_source
    from latentbloom.device import default_device

    with console.status("Looking at every picture ..."):
        opened = open_source(request.data, seed=request.train.seed)
        _check_channels(request, opened)
        audit = audit_source(
            opened,
            device_type=default_device().type,
            size=request.data.size,
            keep=request.data.fit,
        )
    console.print(audit_table(audit))
    if not dry_run:
        folder.path.mkdir(parents=True, exist_ok=True)
        audit.save(folder.audit)
        record_pictures(opened, audit, folder.pictures)
        save_colours(opened, folder.colours)
    return opened, audit


def _check_channels(request: RunConfig, source: Source) -> None:
    from latentbloom.data.sources.options import COLOUR

    if request.data.channels == 1 and COLOUR in source.spec.names:
        raise ConfigError(
            f"data.channels is 1, and a grey model cannot show a {COLOUR}. Leave {COLOUR} out of "
            "--factors, or data.channels away."
        )


def _begin(folder: RunFolder, request: RunConfig, resolved: RunConfig, plan: Plan) -> None:
    resolved.save(folder.config)
    write_json(
        folder.request,
        {"request": request.model_dump(mode="json"), "plan": plan.model_dump(mode="json")},
    )


def _resume(
    folder: RunFolder, request: RunConfig, console: Console, *, accept_changed_data: bool
) -> tuple[RunConfig, Plan, Audit, Source]:
    from latentbloom.data.audit.changes import check_pictures
    from latentbloom.data.audit.findings import Audit
    from latentbloom.data.sources.open import open_source
    from latentbloom.fitting.planning.planner import Plan

    stored = json.loads(folder.request.read_text(encoding="utf-8"))
    before = parse_config(stored["request"], where=str(folder.request))
    changed = _differences(before.model_dump(mode="json"), request.model_dump(mode="json"))
    if changed:
        raise RunFolderError(
            f"{folder.path} is a run with other settings: {'; '.join(changed)}. Give the same "
            "settings to go on with it, or another --out to begin anew."
        )
    resolved = folder.load_config()
    opened = open_source(request.data, seed=request.train.seed, colours=folder.colours)
    audit = Audit.load(folder.audit)
    opened = check_pictures(
        opened, audit, folder.pictures, accept=accept_changed_data, say=console.print
    )
    console.print(f"Going on with {folder.path}.")
    return resolved, Plan(**stored["plan"]), audit, opened


def _differences(a: Any, b: Any, name: str = "") -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [*a, *(key for key in b if key not in a)]
        found = [_differences(a.get(k), b.get(k), f"{name}.{k}".lstrip(".")) for k in keys]
        return [line for lines in found for line in lines]
    return [] if a == b else [f"{name} was {a!r}, now {b!r}"]
