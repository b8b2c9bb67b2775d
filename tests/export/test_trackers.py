"""What a tracker gets of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from drawn_run import model, pictures, run, splits
from latentbloom.cli.main import main
from latentbloom.export.trackers import send
from latentbloom.report.run_files import read_run
from shown_run import make_scores

__all__ = ["model", "pictures", "run", "splits"]


class Notebook:
    """Stands for a tracker of accelerate, and remembers what it got."""

    def __init__(self) -> None:
        self.lines: list[tuple[int | None, dict[str, Any]]] = []
        self.pictures: dict[str, tuple[int, ...]] = {}

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        self.lines.append((step, values))

    def log_images(self, values: dict[str, Any], step: int | None = None) -> None:
        self.pictures |= {name: pixels.shape for name, pixels in values.items()}


def test_curves_scores_and_pictures(run: Path) -> None:
    from PIL import Image

    make_scores().save(run / "scores.json")
    (run / "figures").mkdir(exist_ok=True)
    Image.new("L", (6, 4)).save(run / "figures" / "curves.png")
    notebook = Notebook()
    assert send(read_run(run), notebook) == 42
    expected = [
        json.loads(line)["reconstruction"]
        for line in (run / "metrics.jsonl").read_text().splitlines()
        if '"train", "stage": "vae_gan"' in line
    ]
    name = "vae_gan/train/reconstruction"
    assert [values[name] for _, values in notebook.lines if name in values] == expected
    steps = [step for step, values in notebook.lines if name in values]
    assert steps == list(range(100, 2001, 100))
    step, scores = notebook.lines[-1]
    assert step == 2000
    assert scores["scores/pictures/control/colour/mean"] == 0.7
    assert scores["scores/reconstruction/psnr"] == 5.0
    assert notebook.pictures == {"figures/curves": (1, 3, 4, 6)}


def test_tensorboard_is_missing(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from latentbloom.export import trackers

    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda _: None)
    assert main(["export", str(run), "--to", "tensorboard", str(tmp_path / "events")]) == 2
    assert 'pip install "latentbloom[tensorboard]"' in capsys.readouterr().err
    assert not (tmp_path / "events").exists()
