"""Figures and animations of a run, from Python: what `latentbloom show` draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latentbloom.errors import ConfigError
from latentbloom.figures.draw import DRAWINGS, draw_scene
from latentbloom.figures.open_scene import open_scene
from latentbloom.notebook import Drawings
from latentbloom.runs.folder import RunFolder
from latentbloom.words import did_you_mean


def show(run: Path | str, *what: str, cond: str | Sequence[str] = (), seed: int = 0) -> Drawings:
    """Draw figures of a run into its folder `figures`. A notebook shows them.

    Arguments:
        run: The run folder.
        what: Which ones, such as "samples", "path", "map" or "animation"; none for all.
        cond: Conditions such as "smiling=yes", where a drawing has one.
        seed: Decides every random choice.

    Returns:
        The files.

    Raises:
        ConfigError: There is no drawing of that name.
        RunFolderError: It is no run folder.
    """
    RunFolder(Path(run)).load_config()  # refuses what is no run
    for name in what:
        if name not in DRAWINGS:
            raise ConfigError(
                f"There is no drawing '{name}'.{did_you_mean(name, DRAWINGS)} Known: "
                f"{', '.join(DRAWINGS)}."
            )
    names = [name for name in DRAWINGS if not what or name in what]
    return Drawings(draw_scene(open_scene(run, names, cond=cond, seed=seed), names))
