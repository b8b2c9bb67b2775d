"""The experiment trackers that a run can report to, through accelerate."""

from __future__ import annotations

import importlib.util
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentbloom.errors import ConfigError
from latentbloom.foreign.json_files import read_json
from latentbloom.pictures.images import read_picture
from latentbloom.storage.files import write_json
from latentbloom.words import did_you_mean

PROJECT = "latentbloom"
STATE = "trackers.json"
"""File of a run folder: the names of the run in its trackers, so that resuming continues there."""

_STATE_LOCK = threading.Lock()


@dataclass(frozen=True)
class TrackerKind:
    """A tracker that is known by name.

    Arguments:
        package: What it imports.
        install: What installs that.
        start: Starts a tracker of accelerate for a run folder; gets what is known of the run there
            and returns the tracker, and what is to be known the next time.
        send_pictures: Called with the tracker, paths by name, and the step.
        any_order: Whether a step may be smaller than the one before.
    """

    package: str
    install: str
    start: Callable[[Path, Mapping[str, str]], tuple[Any, dict[str, str]]]
    send_pictures: Callable[[Any, Mapping[str, Path], int], None]
    any_order: bool = False


def parse_trackers(text: str) -> tuple[str, ...]:
    """From "tensorboard, wandb" to their names, each once, once all of them can be used.

    Raises:
        ConfigError: A name is unknown, or the package of a tracker is not installed.
    """
    names = dict.fromkeys(word.strip().casefold() for word in text.split(",") if word.strip())
    for name in names:
        if name not in TRACKERS:
            raise ConfigError(
                f"'{name}' is no tracker.{did_you_mean(name, TRACKERS)} Known: "
                f"{', '.join(TRACKERS)}, as in --tracker tensorboard,wandb."
            )
        kind = TRACKERS[name]
        if importlib.util.find_spec(kind.package) is None:
            raise ConfigError(
                f"The tracker {name} needs the package {kind.package}, which is not installed. "
                f"Install it: pip install {kind.install}. Or leave {name} out of --tracker."
            )
    return tuple(names)


def start_tracker(name: str, run: Path) -> Any:
    """Start a tracker for a run folder, or continue what it has of that run."""
    from accelerate import PartialState

    PartialState()  # accelerate's trackers ask it which process they are in
    tracker, known = TRACKERS[name].start(run, _state(run).get(name, {}))
    with _STATE_LOCK:  # trackers start at the same time
        state = _state(run)
        if known != state.get(name, {}):
            write_json(run / STATE, {**state, name: known})
    return tracker


def _state(run: Path) -> dict[str, dict[str, str]]:
    with suppress(OSError, ValueError):
        found = read_json(run / STATE, folder=run)
        return found if isinstance(found, dict) else {}
    return {}


def _tensorboard(run: Path, known: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
    from accelerate.tracking import TensorBoardTracker

    tracker = TensorBoardTracker("tensorboard", logging_dir=str(run))
    tracker.start()
    return tracker, dict(known)


def _wandb(run: Path, known: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
    from accelerate.tracking import WandBTracker

    name = known.get("id") or uuid.uuid4().hex[:12]
    tracker = WandBTracker(
        PROJECT, name=run.resolve().name, id=name, resume="allow", dir=str(run.resolve())
    )
    tracker.start()
    return tracker, {"id": name}


def _mlflow(run: Path, known: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
    from accelerate.tracking import MLflowTracker

    tracker = MLflowTracker(PROJECT, run_name=run.resolve().name, run_id=known.get("id"))
    tracker.start()
    return tracker, {"id": str(tracker.active_run.info.run_id)}


def _trackio(run: Path, known: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
    from accelerate.tracking import TrackioTracker

    name = known.get("name") or f"{run.resolve().name}-{uuid.uuid4().hex[:6]}"
    tracker = TrackioTracker(PROJECT, name=name, resume="allow")
    tracker.start()
    return tracker, {"name": name}


def _to_tensorboard(tracker: Any, pictures: Mapping[str, Path], step: int) -> None:
    # Its default is channels first, and accelerate passes no layout on.
    batches = {n: read_picture(path)[None].transpose(0, 3, 1, 2) for n, path in pictures.items()}
    tracker.log_images(batches, step=step)


def _to_wandb(tracker: Any, pictures: Mapping[str, Path], step: int) -> None:
    tracker.log_images({n: [read_picture(path)] for n, path in pictures.items()}, step=step)


def _to_mlflow(tracker: Any, pictures: Mapping[str, Path], _: int) -> None:
    for name, path in pictures.items():
        tracker.log_artifact(str(path), artifact_path=name.partition("/")[0])


def _to_trackio(tracker: Any, pictures: Mapping[str, Path], step: int) -> None:
    import importlib

    trackio = importlib.import_module("trackio")
    tracker.log({n: trackio.Image(str(path)) for n, path in pictures.items()}, step=step)


TRACKERS: dict[str, TrackerKind] = {
    "tensorboard": TrackerKind(
        "tensorboard", '"latentbloom[tensorboard]"', _tensorboard, _to_tensorboard, any_order=True
    ),
    "wandb": TrackerKind("wandb", "wandb", _wandb, _to_wandb),
    "mlflow": TrackerKind("mlflow", "'mlflow>=3'", _mlflow, _to_mlflow, any_order=True),
    "trackio": TrackerKind("trackio", "trackio", _trackio, _to_trackio),
}
"""The trackers by the name that accelerate gives them."""
