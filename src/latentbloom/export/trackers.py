"""Curves, pictures and scores of a run for an experiment tracker, through accelerate."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.export.opening import check_new_folder
from latentbloom.pictures.images import read_picture
from latentbloom.report.run_files import RunFiles, read_run
from latentbloom.runs.tracked_values import curve_values, score_values

if TYPE_CHECKING:
    import numpy as np


class Tracker(Protocol):
    """What is used of accelerate's trackers."""

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        """Numbers by name."""
        ...

    def log_images(self, values: dict[str, Any], step: int | None = None) -> None:
        """Pictures (n, 3, H, W), uint8, by name."""
        ...


def export_tensorboard(
    run: Path | str, folder: Path | str, *, say: Callable[[str], None] = print
) -> int:
    """Write TensorBoard event files of a run, finished or not.

    Arguments:
        run: The run folder.
        folder: A new folder; `tensorboard --logdir FOLDER` shows it.
        say: Called with what is being done.

    Returns:
        How many lines of metrics were written.

    Raises:
        RunFolderError: It is no run, it has no metrics yet, or the folder is taken.
        ConfigError: TensorBoard is missing; the message names the extra.
    """
    folder = Path(folder)
    found = read_run(run)
    check_new_folder(folder)
    if importlib.util.find_spec("tensorboard") is None:
        raise ConfigError(
            "This needs tensorboard, which is not installed. Install the extra: "
            'pip install "latentbloom[tensorboard]"'
        )
    if not found.metrics:
        raise RunFolderError(f"{found.path} has no metrics.jsonl yet: training has not begun.")
    from accelerate import PartialState
    from accelerate.tracking import TensorBoardTracker

    PartialState()  # accelerate's trackers ask it which process they are in
    tracker = TensorBoardTracker(found.path.resolve().name, logging_dir=str(folder))
    tracker.start()
    say(f"Writing {len(found.metrics):,} lines of metrics")
    try:
        return send(found, tracker)
    finally:
        tracker.finish()


def send(run: RunFiles, tracker: Tracker) -> int:
    """Send curves, scores and pictures to a tracker. The step is the number of pictures seen.

    Arguments:
        run: The run.
        tracker: Receives them.

    Returns:
        How many lines of metrics were sent.
    """
    count = 0
    last = 0
    for line in run.metrics:
        if values := curve_values(line):
            images = int(line.get("images") or 0)
            tracker.log(values, step=images)
            last = max(last, images)
            count += 1
    scores = score_values(run.scores)
    if scores:
        tracker.log(scores, step=last)
    for path in sorted((run.path / "figures").glob("*.png")):
        tracker.log_images({f"figures/{path.stem}": _batch(path)}, step=last)
    for path in sorted((run.path / "samples").glob("preview_*.png")):
        tracker.log_images({f"previews/{path.stem}": _batch(path)}, step=last)
    return count


def _batch(path: Path) -> np.ndarray:
    # TensorBoard's default is channels first, and accelerate passes no layout on.
    return read_picture(path)[None].transpose(0, 3, 1, 2)
