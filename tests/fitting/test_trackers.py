"""Experiment trackers during `fit`: they get everything, and never end a training."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import latentbloom
from latentbloom.cli.main import main
from latentbloom.errors import ConfigError
from latentbloom.fitting.tracking import kinds, session
from latentbloom.fitting.tracking.kinds import TRACKERS, TrackerKind, parse_trackers
from latentbloom.fitting.tracking.session import Tracking
from latentbloom.fitting.work import Work
from latentbloom.model.generator import load
from tiny_run import TINY, make_pictures

SHORT = {
    **TINY,
    "train.vae_gan_images": 24,
    "train.diffusion_images": 24,
    "train.log_seconds": 0.001,
    "train.preview_seconds": 0.001,  # at every step, on any machine
}


class Notebook:
    """Stands for a tracker of accelerate, and remembers what it got."""

    def __init__(self, trouble: str = "") -> None:
        self.trouble = trouble
        self.values: list[tuple[int, dict[str, float]]] = []
        self.pictures: set[str] = set()
        self.finished = 0
        self.release = threading.Event()

    def log(self, values: dict[str, float], step: int) -> None:
        if self.trouble == "log":
            raise RuntimeError("the server is gone")
        if self.trouble == "hang":
            self.release.wait(60)
        self.values.append((step, values))

    def finish(self) -> None:
        self.finished += 1


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Notebook]]:
    books = {name: Notebook(name) for name in ("fine", "log", "hang", "start")}

    def kind(name: str) -> TrackerKind:
        def start(run: Path, known: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
            if name == "start":
                raise SystemExit("not logged in")
            return books[name], {"id": known.get("id", "new")}

        def pictures(tracker: Any, files: Mapping[str, Path], step: int) -> None:
            tracker.pictures |= set(files)

        return TrackerKind("json", name, start, pictures)

    for name in books:
        monkeypatch.setitem(TRACKERS, name, kind(name))
    yield books
    for book in books.values():
        book.release.set()


@pytest.mark.draws
def test_a_run_reports_curves_previews_figures_and_scores(
    tmp_path: Path, books: dict[str, Notebook], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PATIENCE", 2.0)
    scores = {"pictures": {"fd": {"value": 3.0, "low": 2.0, "high": 4.0}}}

    def finish(self: Work, *_: Any) -> Any:
        (self.folder.path / "scores.json").write_text(json.dumps(scores))
        return load(self.folder.path)

    monkeypatch.setattr(Work, "finish", finish)
    pictures = make_pictures(tmp_path / "pictures")
    wanted = {**SHORT, "train.trackers": "fine,log,hang,start"}
    start = time.monotonic()
    model = latentbloom.fit(pictures, out=tmp_path / "run", overrides=wanted)
    assert model is not None
    assert time.monotonic() - start < 60  # the one that hangs is left behind
    fine = books["fine"]
    assert fine.finished == 1
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    logged = [json.loads(line) for line in lines]
    sent = [values for _, values in fine.values if "scores/pictures/fd" not in values]
    assert len(sent) == sum(line["kind"] in ("train", "val") for line in logged)
    steps = [step for step, _ in fine.values]
    assert steps == sorted(steps)
    assert steps[-1] == 48  # both stages
    assert fine.values[-1][1] == {"scores/pictures/fd": 3.0}
    assert {"previews/preview_vae_gan", "previews/preview_diffusion"} <= fine.pictures
    assert json.loads((tmp_path / "run" / "trackers.json").read_text())["fine"] == {"id": "new"}


def test_what_goes_wrong_is_said_once(
    tmp_path: Path, books: dict[str, Notebook], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PATIENCE", 1.0)
    monkeypatch.setattr(session, "MOST_WAITING", 3)
    said: list[str] = []
    tracking = Tracking(tmp_path, ("log", "hang", "start"), said.append)
    for images in range(20):
        tracking.line({"kind": "train", "stage": "vae_gan", "images": images, "loss": 1.0})
        time.sleep(0.01)
    tracking.close()
    assert sorted(text.partition(":")[0] for text in said) == [
        "The tracker hang does not answer",
        "The tracker hang is too slow",
        "The tracker log failed",
        "The tracker start does not start",
    ]
    assert "the server is gone. Training continues." in " ".join(said)
    assert books["log"].finished == 1


def test_resuming_continues_the_steps(tmp_path: Path, books: dict[str, Notebook]) -> None:
    (tmp_path / "metrics.jsonl").write_text(
        '{"kind": "train", "stage": "vae_gan", "images": 64, "loss": 1}\n'
        '{"kind": "train", "stage": "diffusion", "images": 10, "loss": 1}\n'
    )
    tracking = Tracking(tmp_path, ("fine",), print)
    tracking.line({"kind": "train", "stage": "diffusion", "images": 20, "loss": 2.0})
    tracking.line({"kind": "phase", "stage": "diffusion", "images": 20, "name": "end"})
    tracking.close()
    assert books["fine"].values == [(84, {"diffusion/train/loss": 2.0})]


def test_tensorboard_of_accelerate(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    said: list[str] = []
    tracking = Tracking(tmp_path, ("tensorboard",), said.append)
    for images in (10, 20):
        tracking.line({"kind": "train", "stage": "vae_gan", "images": images, "loss": images / 2})
    (tmp_path / "figures").mkdir()
    Image.new("L", (6, 4)).save(tmp_path / "figures" / "curves.png")
    tracking.pictures()
    tracking.close()
    assert said == []
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    found = [(event.step, event.value) for event in events.Scalars("vae_gan/train/loss")]
    assert found == [(10, 5.0), (20, 10.0)]
    assert events.Images("figures/curves")[0].width == 6


def test_a_missing_package_is_told_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds.importlib.util, "find_spec", lambda _: None)
    words = ["fit", str(tmp_path / "none"), "--tracker", "wandb", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    assert "needs the package wandb, which is not installed" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_names_of_trackers() -> None:
    with pytest.raises(ConfigError, match=r"'tensorbord' is no tracker. Did you mean tensorboard"):
        parse_trackers("tensorbord")
    assert parse_trackers("") == ()
