"""The work folder of the benchmark: the path of each result, and how it is made."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.pieces import finished, keep, read_piece
from latentbloom.errors import LatentbloomError
from latentbloom.runs.checkpoint import checkpoint_exists
from latentbloom.runs.folder import RunFolder

OURS = "latentbloom"


@dataclass
class Work:
    """Paths of results, and the programs that make them.

    Arguments:
        path: The folder.
        failed: Commands that failed.
    """

    path: Path
    failed: list[str] = field(default_factory=list)

    def run(self, name: str, minutes: float) -> Path:
        """The run folder of ours, or the folder of a peer's samples."""
        if name == OURS:
            return self.path / f"{OURS}-{minutes:g}"
        return self.path / name / f"{minutes:g}"

    def fitted(self, minutes: float) -> Path:
        """Command and duration of our run."""
        return self.path / f"{OURS}-{minutes:g}.fit.json"

    def scores(self, name: str, minutes: float, *, whole: bool = False) -> Path:
        """Scores of equally many samples for all models; if whole, of as many as val has."""
        return self.path / f"{name}-{minutes:g}.{'val-' if whole else ''}scores.json"

    def sampling(self, minutes: float) -> Path:
        """Our samplers, side by side."""
        return self.path / f"{OURS}-{minutes:g}.sampling.json"

    def speed(self, minutes: float) -> Path:
        """Training speed of our model."""
        return self.path / f"{OURS}-{minutes:g}.speed.json"

    def call(self, *words: str | Path) -> bool:
        """Run a module of this Python, as `python -m WORDS`; returns whether it succeeded."""
        shown = shlex.join(["python", "-m", *map(str, words)])
        print(f"$ {shown}", flush=True)
        command = [sys.executable, "-m", *map(str, words)]
        code = subprocess.run(command, check=False).returncode
        if code:
            self.failed.append(f"{shown} (ended with {code})")
        return code == 0

    def fit(self, source: str, minutes: float) -> bool:
        """Train our run unless it is finished; an interrupted one is resumed.

        Raises:
            LatentbloomError: The folder holds a run of another source.
        """
        out, asked = self.run(OURS, minutes), {"source": source, "minutes": minutes}
        words = ["latentbloom", "fit", source, "--minutes", f"{minutes:g}", "--out", str(out)]
        piece = read_piece(self.fitted(minutes))
        if piece is not None and (other := piece["asked"].get("source", source)) != source:
            raise LatentbloomError(
                f"{out} was trained on {other}, not on {source}. Choose another --work."
            )
        if piece is not None and is_finished(out):
            return True
        began = time.monotonic()
        if not self.call(*words):
            return False
        # An earlier call may have trained, too.
        seconds = max(time.monotonic() - began, training_seconds(out))
        shown = shlex.join(["python", "-m", *words])
        keep(self.fitted(minutes), asked, {}, command=shown, seconds=seconds)
        return True

    def take(self, run: Path, minutes: float) -> None:
        """Copy a finished run of ours into this folder, once.

        Raises:
            LatentbloomError: It is no finished run.
        """
        out, asked = self.run(OURS, minutes), {"run": str(run.resolve()), "minutes": minutes}
        if finished(self.fitted(minutes), asked) and is_finished(out):
            return
        if not is_finished(run):
            raise LatentbloomError(
                f"{run} is no finished run of latentbloom. Use a folder that `latentbloom fit "
                "--out` has finished."
            )
        if out.exists():
            raise LatentbloomError(f"{out} holds another run. Remove it, or choose another --work.")
        request = json.loads(RunFolder(run).request.read_text(encoding="utf-8"))["request"]
        asked_minutes = request["train"]["minutes"]
        words = ["python", "-m", "latentbloom", "fit", request["data"]["source"]]
        words += [] if asked_minutes is None else ["--minutes", f"{asked_minutes:g}"]
        self.path.mkdir(parents=True, exist_ok=True)
        shutil.copytree(run, out)
        shown = shlex.join([*words, "--out", str(out)])
        keep(self.fitted(minutes), asked, {}, command=shown, seconds=training_seconds(run))


def is_finished(run: Path) -> bool:
    """Whether a run folder holds both finished models."""
    folder = RunFolder(run)
    ends = (folder.autoencoder, folder.path / "conditional_diffusion_final")
    return folder.config.is_file() and all(checkpoint_exists(end) for end in ends)


def training_seconds(run: Path) -> float:
    """Training time of both stages of a run, from its log."""
    last: dict[str, float] = {}
    for line in RunFolder(run).metrics.read_text(encoding="utf-8").splitlines():
        told: dict[str, Any] = json.loads(line)
        if "stage" in told and "seconds" in told:
            last[told["stage"]] = told["seconds"]
    return sum(last.values())


def shape_of(runs: Sequence[Path]) -> list[str]:
    """Options that give a peer the picture size, channels and precision of the first run."""
    for run in runs:
        if (run / "config.json").is_file():
            config = RunFolder(run).load_config()
            shape = ["--size", str(config.data.size), "--channels", str(config.data.channels)]
            low = config.train.precision
            return [*shape, *([] if low is None else ["--precision", low])]
    return []
