"""A scene from a run folder: loads what is there, and reports what is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.errors import CheckpointError, LatentbloomError, RunFolderError
from latentbloom.figures.draw import DRAWINGS
from latentbloom.figures.scene import AnimationSettings, Scene

if TYPE_CHECKING:
    from latentbloom.data.imageset import ImageSet
    from latentbloom.model.autoencoder import AutoencoderModel
    from latentbloom.runs.folder import RunFolder


def open_scene(
    run: Path | str,
    names: Sequence[str],
    *,
    cond: str | Sequence[str] = (),
    seed: int = 0,
    against: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    animation: AnimationSettings | None = None,
    log: bool | None = None,
    say: Callable[[str], None] = print,
) -> Scene:
    """Load what the named drawings need.

    Arguments:
        run: The run folder.
        names: Names in `DRAWINGS`.
        cond: Conditions such as "smiling=yes"; only these are drawn.
        seed: Decides every random choice.
        against: Source of real pictures to show in place of the run's held-out ones.
        overrides: Settings of that source, or of the run's own.
        animation: Settings of animations.
        log: Logarithmic or linear axes of curves; None chooses for each.
        say: Called with a sentence about what could not be loaded.

    Raises:
        ConditionError: A condition is unknown.
    """
    from latentbloom.runs.folder import RunFolder

    needs = frozenset().union(*(DRAWINGS[name].needs for name in names))
    train = val = None
    model = _load(run, say) if "model" in needs else None
    if needs & {"train", "val"}:
        train, val = _pictures(RunFolder(Path(run)), model, against, overrides, say)
    words = model.spec.parse(cond) if model is not None and cond else None
    moving = animation or AnimationSettings()
    return Scene(Path(run), model, val, train, seed, words, moving, log)


def _pictures(
    folder: RunFolder,
    model: AutoencoderModel | None,
    against: str | None,
    overrides: Mapping[str, Any] | None,
    say: Callable[[str], None],
) -> tuple[ImageSet | None, ImageSet | None]:
    """The run's training pictures, and its held-out ones or all of another source."""
    from latentbloom.evaluate.against.other_set import open_other
    from latentbloom.evaluate.run_sets import sets_of_run

    train = val = None
    try:
        train, val = sets_of_run(
            folder,
            overrides=overrides if against is None else None,
            accept_changed_data=True,  # figures say so and show what is there
            say=say,
        )
    except LatentbloomError as error:
        say(f"No real pictures: {error}")
    if against is None:
        return train, val
    known = train.spec if train is not None else None
    spec = model.spec if model is not None else known
    if spec is None:
        return train, None
    try:
        other = open_other(folder, against, spec, overrides=overrides, own=train)
    except LatentbloomError as error:
        say(f"No pictures of '{against}': {error}")
        return train, None
    for note in other.notes:
        say(note)
    return train, other.images


def _load(run: Path | str, say: Callable[[str], None]) -> AutoencoderModel | None:
    """The model, else its autoencoder, else None; says why it is not the whole model."""
    from latentbloom.model.autoencoder import load_autoencoder_model
    from latentbloom.model.generator import load

    for name, read in (("model", load), ("autoencoder", load_autoencoder_model)):
        try:
            return read(run)
        except (CheckpointError, RunFolderError) as error:
            say(f"No {name}: {error}")
    return None
