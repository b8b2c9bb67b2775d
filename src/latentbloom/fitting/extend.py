"""Give stage 2 of a run a larger budget, from where it stopped or from a checkpoint it kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from latentbloom.config import RunConfig, parse_config
from latentbloom.errors import CheckpointError, ConfigError
from latentbloom.files import rename, write_json
from latentbloom.fitting.planning.planner import Plan
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint, save_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.train.epochs import epoch_folder

STEM = "conditional_diffusion"


def extend(
    folder: RunFolder, *, epochs: float, count: int, checkpoint: Path | None = None
) -> tuple[RunConfig, Plan]:
    """Prepare a run folder so that training goes on to more epochs.

    What is later than the checkpoint is kept: a state that only `conditional_diffusion_last` holds
    becomes `conditional_diffusion_epoch_N`, scores become `scores_epoch_N.json`. A folder that was
    prepared in the same way before is left as it is: what was begun then goes on.

    Arguments:
        folder: The run.
        epochs: Passes over the pictures that stage 2 shall have made in the end.
        count: Training pictures, one epoch.
        checkpoint: A kept checkpoint of stage 2; default the newest state, if it has begun.

    Returns:
        Settings and plan, which are written to the folder, too.

    Raises:
        ConfigError: So many epochs are behind the checkpoint already.
        CheckpointError: The checkpoint is not of this run, or cannot be gone on from.
    """
    stored = json.loads(folder.request.read_text(encoding="utf-8"))
    wish = {"epochs": epochs, "checkpoint": None if checkpoint is None else checkpoint.name}
    if stored.get("extended") == wish:
        return folder.load_config(), Plan(**stored["plan"])
    images = round(epochs * count)
    start = _start(folder, checkpoint)
    if start is not None:
        tensors, meta = load_checkpoint(start)
        seen = meta["position"]["images"]
        if images <= seen:
            raise ConfigError(
                f"{start} has seen {seen / count:.4g} epochs already ({seen:,} images of {count:,})"
                f", so {epochs:g} epochs leave nothing to do. Give more."
            )
        _keep_newest(folder, seen, count)
        position = meta["position"] | {"done": False, "validations": 0}
        save_checkpoint(
            folder.path / f"{STEM}_last", tensors, meta | {"position": position}
        )  # before the finished one goes, so that there is a model at every instant
    final = folder.path / f"{STEM}_final"
    if final.exists():
        shutil.rmtree(final)
    return _rewrite(folder, stored, wish, images)


def _start(folder: RunFolder, checkpoint: Path | None) -> Path | None:
    """The checkpoint to go on from; None where stage 2 has not begun."""
    last = folder.path / f"{STEM}_last"
    if checkpoint is None:
        return last if checkpoint_exists(last) else None
    if not checkpoint_exists(checkpoint):
        there = sorted(p.name for p in folder.path.glob(f"{STEM}_*") if p.is_dir())
        raise CheckpointError(
            f"There is no checkpoint {checkpoint}. In {folder.path} there are: "
            f"{', '.join(there) or 'none of stage 2'}."
        )
    if checkpoint.resolve().parent != folder.path.resolve():
        raise CheckpointError(f"{checkpoint} does not lie in the run folder {folder.path}.")
    if checkpoint.name == f"{STEM}_final":  # holds no optimiser; the newest state has the same
        return last
    _, meta = load_checkpoint(checkpoint, [])
    if meta.get("stage") != "diffusion" or "position" not in meta:
        raise CheckpointError(
            f"{checkpoint} is nothing that training can go on from. Name a {STEM}_epoch_N."
        )
    return checkpoint


def _keep_newest(folder: RunFolder, seen: int, count: int) -> None:
    last = folder.path / f"{STEM}_last"
    if not checkpoint_exists(last):
        return
    newest: int = load_checkpoint(last, [])[1]["position"]["images"]
    kept = folder.path / epoch_folder(STEM, newest // count)
    if newest > seen and not checkpoint_exists(kept):
        save_checkpoint(kept, *load_checkpoint(last))
    if folder.scores.exists():
        rename(folder.scores, folder.path / f"scores_epoch_{newest // count}.json")


def _rewrite(
    folder: RunFolder, stored: dict[str, Any], wish: dict[str, Any], images: int
) -> tuple[RunConfig, Plan]:
    epochs = wish["epochs"]
    request = parse_config(stored["request"], where=str(folder.request)).updated(
        {"train.diffusion_epochs": epochs, "train.diffusion_images": None}
    )
    config = folder.load_config().updated(
        {"train.diffusion_epochs": epochs, "train.diffusion_images": images}
    )
    plan = Plan(**stored["plan"]).model_copy(
        update={"diffusion_seconds": None, "diffusion_images": images}
    )
    config.save(folder.config)
    write_json(
        folder.request,
        {
            "request": request.model_dump(mode="json"),
            "plan": plan.model_dump(mode="json"),
            "extended": wish,
        },
    )
    return config, plan
