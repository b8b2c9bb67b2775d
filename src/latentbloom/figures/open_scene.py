"""A scene from a run folder: loads what is there, and reports what is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentbloom.errors import CheckpointError, LatentbloomError, RunFolderError
from latentbloom.figures.draw import DRAWINGS
from latentbloom.figures.scene import AnimationSettings, Scene

if TYPE_CHECKING:
    from latentbloom.model.autoencoder import AutoencoderModel


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
        against: Source of real pictures; by default the training source of the run.
        overrides: Settings of that source, as for `sets_of_run`.
        animation: Settings of animations.
        log: Logarithmic or linear axes of curves; None chooses for each.
        say: Called with a sentence about what could not be loaded.

    Raises:
        ConditionError: A condition is unknown.
    """
    from latentbloom.evaluate.run_sets import sets_of_run
    from latentbloom.runs.folder import RunFolder

    needs = frozenset().union(*(DRAWINGS[name].needs for name in names))
    train = val = None
    model = _load(run, say) if "model" in needs else None
    if needs & {"train", "val"}:
        try:
            train, val = sets_of_run(
                RunFolder(Path(run)),
                against=against,
                overrides=overrides,
                accept_changed_data=True,  # figures say so and show what is there
                say=say,
            )
        except LatentbloomError as error:
            say(f"No real pictures: {error}")
    words = model.spec.parse(cond) if model is not None and cond else None
    moving = animation or AnimationSettings()
    return Scene(Path(run), model, val, train, seed, words, moving, log)


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
