"""The files of a run folder, read for display: what is missing or broken is left empty."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latentbloom.errors import RunFolderError
from latentbloom.foreign.json_files import read_json

_MOST_AGAINST = 12
"""Sources whose scores are shown."""

_STALE = 600.0  # seconds without a new line, after which a run counts as stopped


@dataclass(frozen=True)
class RunFiles:
    """What a run folder holds.

    Attributes:
        path: The folder.
        config: Settings that ran.
        audit: Findings about the data.
        plan: Request and plan.
        metrics: Records of training, in order.
        scores: Scores of the finished model against the run's held-out pictures.
        against: Its scores against other sources, one a source.
        finished: Whether the denoiser is fully trained.
        alive: Whether something was written in the last ten minutes.
    """

    path: Path
    config: dict[str, Any] = field(default_factory=dict)
    audit: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    against: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False
    alive: bool = False

    def of(self, stage: str, kind: str) -> list[dict[str, Any]]:
        """The records of one kind of one stage."""
        return [m for m in self.metrics if m.get("stage") == stage and m.get("kind") == kind]

    def last(self, stage: str, kind: str = "train") -> dict[str, Any]:
        """The newest of these records, or an empty one."""
        found = self.of(stage, kind)
        return found[-1] if found else {}


def read_run(run: Path | str) -> RunFiles:
    """Read a run folder.

    Raises:
        RunFolderError: There is no such folder, or it is not a run folder.
    """
    from latentbloom.runs.folder import RunFolder
    from latentbloom.runs.metrics import read_metrics

    path = Path(run)
    if not path.is_dir():
        raise RunFolderError(
            f"There is no folder {path}. Name the folder that `latentbloom fit --out` was given."
        )
    metrics_file = path / "metrics.jsonl"
    config = _json(path / "config.json")
    metrics = read_metrics(metrics_file)
    if not config and not metrics and not (path / "figures").is_dir():
        raise RunFolderError(
            f"{path} is no run of latentbloom: it has no config.json, no metrics.jsonl and no "
            "figures. Name the folder that `latentbloom fit --out` was given."
        )
    finished = (path / "conditional_diffusion_final").is_dir()
    alive = False
    if metrics_file.exists() and not finished:
        # One of the future was written before somebody set the clock back.
        alive = abs(time.time() - metrics_file.stat().st_mtime) < _STALE
    return RunFiles(
        path,
        config,
        _audit(path / "audit.json"),
        _json(path / "plan.json"),
        metrics,
        _json(path / "scores.json"),
        [_json(file) for file in RunFolder(path).all_scores_against[:_MOST_AGAINST]],
        finished,
        alive,
    )


def _audit(path: Path) -> dict[str, Any]:
    """audit.json, with old field names replaced by the current ones."""
    old = {"twins": "duplicates", "drawn": "synthetic"}
    return {old.get(name, name): value for name, value in _json(path).items()}


def _json(path: Path) -> dict[str, Any]:
    try:
        tree = read_json(path, folder=path.parent)
    except (OSError, ValueError):
        return {}
    return tree if isinstance(tree, dict) else {}
