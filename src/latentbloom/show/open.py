"""A scene from a run folder: what is there is loaded, what is not is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from latentbloom.errors import CheckpointError, LatentbloomError, RunFolderError
from latentbloom.show.draw import DRAWINGS
from latentbloom.show.scene import AnimationSettings, Scene


def open_scene(
    run: Path | str,
    names: Sequence[str],
    *,
    cond: str | Sequence[str] = (),
    seed: int = 0,
    against: str | None = None,
    animation: AnimationSettings | None = None,
    say: Callable[[str], None] = print,
) -> Scene:
    """Load what the drawings named need.

    Arguments:
        run: The run folder.
        names: Names in `DRAWINGS`.
        cond: Conditions such as "smiling=yes", to draw these alone.
        seed: Decides every random choice.
        against: Source of real pictures; default the one that the run was trained on.
        animation: How animations are made.
        say: Is told what could not be loaded.

    Raises:
        ConditionError: A condition is unknown.
    """
    from latentbloom.evaluate.sets import sets_of_run
    from latentbloom.model import load
    from latentbloom.run import RunFolder

    needs = frozenset().union(*(DRAWINGS[name].needs for name in names))
    model = train = val = None
    if "model" in needs:
        try:
            model = load(run)
        except (CheckpointError, RunFolderError) as error:
            say(f"No model: {error}")
    if needs & {"train", "val"}:
        try:
            train, val = sets_of_run(RunFolder(Path(run)), against=against)
        except LatentbloomError as error:
            say(f"No real pictures: {error}")
    words = model.spec.parse(cond) if model is not None and cond else None
    return Scene(Path(run), model, val, train, seed, words, animation or AnimationSettings())
