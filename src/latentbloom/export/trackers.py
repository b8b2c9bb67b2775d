"""Curves, pictures and scores of a run for an experiment tracker, through accelerate."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.export.opening import check_new_folder
from latentbloom.report.run_files import RunFiles, read_run

if TYPE_CHECKING:
    import numpy as np

NOT_CURVES = ("kind", "stage", "images", "name")


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
        values = {
            f"{line.get('stage')}/{line.get('kind')}/{name}": float(value)
            for name, value in line.items()
            if name not in NOT_CURVES and isinstance(value, int | float)
        }
        if line.get("kind") in ("train", "val") and values:
            tracker.log(values, step=int(line.get("images") or 0))
            last = max(last, int(line.get("images") or 0))
            count += 1
    scores = dict(_flat(run.scores, "scores"))
    if scores:
        tracker.log(scores, step=last)
    for path in sorted((run.path / "figures").glob("*.png")):
        tracker.log_images({f"figures/{path.stem}": _pixels(path)}, step=last)
    for path in sorted((run.path / "samples").glob("preview_*.png")):
        tracker.log_images({f"previews/{path.stem}": _pixels(path)}, step=last)
    return count


def _flat(tree: Mapping[str, Any], name: str) -> Iterator[tuple[str, float]]:
    """Values of intervals by their path: {"a": {"b": {"value": 1.0}}} gives "a/b"."""
    for key, node in tree.items():
        if isinstance(node, Mapping) and isinstance(node.get("value"), int | float):
            yield f"{name}/{key}", float(node["value"])
        elif isinstance(node, Mapping):
            yield from _flat(node, f"{name}/{key}")
        elif isinstance(node, list):
            named = [n for n in node if isinstance(n, Mapping) and "factor" in n]
            yield from _flat({str(n["factor"]): n for n in named}, f"{name}/{key}")


def _pixels(path: Path) -> np.ndarray:
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        batch = np.asarray(image.convert("RGB"))[None]  # (1, H, W, 3)
    # TensorBoard's default is channels first, and accelerate passes no layout on.
    return batch.transpose(0, 3, 1, 2)
