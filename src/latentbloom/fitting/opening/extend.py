"""Give stage 2 of a run a larger budget, starting from its newest state or a kept checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from latentbloom.errors import CheckpointError, ConfigError
from latentbloom.fitting.opening.open_run import OpenedRun
from latentbloom.fitting.opening.stored_plan import Extension, StoredPlan
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint, save_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.storage.disk import remove_folder, rename
from latentbloom.train.epochs import epoch_folder

STEM = "conditional_diffusion"


def extend(
    folder: RunFolder, run: OpenedRun, *, epochs: float, checkpoint: Path | None = None
) -> OpenedRun:
    """Prepare a run folder so that stage 2 trains for more epochs.

    What is newer than the checkpoint is kept: a state that only `conditional_diffusion_last` holds
    becomes `conditional_diffusion_epoch_N`, scores become `scores_epoch_N.json`. A folder that was
    prepared in the same way before is left as it is, and its training resumes.

    Arguments:
        folder: The run folder.
        run: The run in it.
        epochs: Epochs of stage 2 in total.
        checkpoint: A kept checkpoint of stage 2; default the newest state, if there is one.

    Returns:
        The run with its new settings and plan, which are written to the folder, too.

    Raises:
        ConfigError: The checkpoint has seen so many epochs already.
        CheckpointError: The checkpoint is not one of this run, or training cannot resume from it.
    """
    stored = StoredPlan.load(folder.request)
    wish = Extension(epochs=epochs, checkpoint=None if checkpoint is None else checkpoint.name)
    if stored.extended == wish:
        return run
    count = len(run.audit.kept(run.source.entries, "train"))
    images = round(epochs * count)
    start = _start(folder, checkpoint)
    if start is not None:
        tensors, meta = load_checkpoint(start)
        seen = meta["position"]["images"]
        if images <= seen:
            raise ConfigError(
                f"{start} has seen {seen / count:.4g} epochs already ({seen:,} images of {count:,})"
                f", so {epochs:g} epochs leave nothing to do. Ask for more epochs."
            )
        _keep_newest(folder, seen, count)
        position = meta["position"] | {"done": False, "validations": 0}
        save_checkpoint(
            folder.path / f"{STEM}_last", tensors, meta | {"position": position}
        )  # before the finished model is deleted, so that there always is one
    for stale in (f"{STEM}_final", "decoder_final", "decoder_last", "latents/generated"):
        remove_folder(folder.path / stale)  # stage 3 belongs to the denoiser as it was
    return _rewrite(folder, run, stored, wish, images)


def _start(folder: RunFolder, checkpoint: Path | None) -> Path | None:
    """The checkpoint to start from; None when stage 2 has not begun."""
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
    if (
        checkpoint.name == f"{STEM}_final"
    ):  # has no optimiser state; the newest state is the same model
        return last
    _, meta = load_checkpoint(checkpoint, [])
    if meta.get("stage") != "diffusion" or "position" not in meta:
        raise CheckpointError(
            f"{checkpoint} is no checkpoint that training can resume from. Name a {STEM}_epoch_N."
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
    folder: RunFolder, run: OpenedRun, stored: StoredPlan, wish: Extension, images: int
) -> OpenedRun:
    request = stored.request.updated(
        {"train.diffusion_epochs": wish.epochs, "train.diffusion_images": None}
    )
    config = run.config.updated(
        {
            "train.diffusion_epochs": wish.epochs,
            "train.diffusion_images": images,
            # The guidance was chosen for the model as it was. It is chosen again.
            "sampling": request.sampling.model_dump(),
        }
    )
    plan = stored.plan.model_copy(update={"diffusion_seconds": None, "diffusion_images": images})
    config.save(folder.config)
    StoredPlan(request=request, plan=plan, extended=wish).save(folder.request)
    return replace(run, config=config, plan=plan)
