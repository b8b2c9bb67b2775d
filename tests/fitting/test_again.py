"""`fit` on a run that is finished, or that has lost something."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

import latentbloom
from latentbloom.errors import UnfinishedError
from latentbloom.evaluate.measures.guidance_merit import Tried
from latentbloom.fitting.pipeline import continue_training
from latentbloom.latents.cache import LatentCache
from latentbloom.runs.checkpoint import load_checkpoint
from latentbloom.runs.folder import RunFolder
from tiny_run import TINY, make_pictures

BUDGET = {k: v for k, v in TINY.items() if k != "train.diffusion_images"}
EPOCHS = {**BUDGET, "train.diffusion_epochs": 2}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    run = tmp_path_factory.mktemp("runs") / "whole"
    assert fit(pictures, run)
    return run


@pytest.fixture
def finished(tmp_path: Path, whole: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def fit(pictures: Path, run: Path) -> str:
    """What one call says."""
    said = io.StringIO()
    console = Console(file=said, width=300)
    assert latentbloom.fit(pictures, out=run, overrides=EPOCHS, console=console) is not None
    return said.getvalue()


def fit_in_part(pictures: Path, run: Path) -> str:
    """What a call says that cannot make all scores, pictures and report."""
    said = io.StringIO()
    console = Console(file=said, width=300)
    with pytest.raises(UnfinishedError, match="The same command makes what is missing"):
        latentbloom.fit(pictures, out=run, overrides=EPOCHS, console=console)
    return said.getvalue()


def files(run: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(run)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in run.rglob("*")
        if path.is_file()
    }


def test_on_a_finished_run_nothing_is_written(finished: Path, pictures: Path) -> None:
    before = files(finished)
    said = fit(pictures, finished)
    assert files(finished) == before
    assert f"{finished} is finished: nothing to do." in said
    assert "Drawing" not in said


def test_a_part_that_failed_is_made_by_the_next_call(
    tmp_path: Path, pictures: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    run = Path(shutil.copytree(whole, tmp_path / "run"))
    plan = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps({**plan, "finished": False}))
    with monkeypatch.context() as patch:
        patch.setattr("latentbloom.report.page.write_report", full)
        assert "No report: OSError: No space left on device" in fit_in_part(pictures, run)
    said = fit(pictures, run)
    assert "Drawing" in said
    assert "No report" not in said
    assert "nothing to do" in fit(pictures, run)


@pytest.mark.parametrize(
    "lose",
    [
        shutil.rmtree,
        lambda latents: (latents / "train" / "manifest.json").unlink(),
        lambda latents: (latents / "train" / "labels.npy").unlink(),
        lambda latents: (latents / "val" / "latents-00000.npy").write_bytes(b"half a fi"),
    ],
    ids=["all", "manifest", "labels", "half a shard"],
)
@pytest.mark.parametrize("trained", [True, False])
def test_lost_latents_are_encoded_again(
    finished: Path,
    pictures: Path,
    lose: Callable[[Path], Any],
    trained: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("latentbloom.fitting.finish._pictures", lambda *_: True)
    folder = RunFolder(finished)
    before = LatentCache(folder.latents("train")).posterior(range(24))
    weights = load_checkpoint(finished / "conditional_diffusion_final")[0]["model"]
    if not trained:
        for name in ("conditional_diffusion_final", "conditional_diffusion_last"):
            shutil.rmtree(finished / name)
    lose(finished / "latents")
    assert "encoding again" in fit(pictures, finished)
    after = LatentCache(folder.latents("train")).posterior(range(24))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    again = load_checkpoint(finished / "conditional_diffusion_final")[0]["model"]
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert "encoding again" not in fit(pictures, finished)


class TestGuidance:
    """A guidance that was chosen is never the start of the next choice."""

    @pytest.fixture
    def tried(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """What each choice started from; each takes the stronger, which is nearer."""
        noted: list[float] = []

        def choose(model: Any, *_: object, **__: object) -> dict[float, Tried]:
            base = model.config.sampling.guidance
            noted.append(base)
            far = Tried(2.0, np.zeros(4), np.ones(4, bool), np.full(4, 0.5), 1.0)
            return {base: far, round(1.3 * base, 2): far._replace(distance=1.0)}

        monkeypatch.setattr("latentbloom.evaluate.guidance_choice.choose_guidance", choose)
        monkeypatch.setattr("latentbloom.fitting.finish._score", lambda *_: None)
        monkeypatch.setattr("latentbloom.fitting.finish._pictures", lambda *_: False)
        return noted

    def test_by_finishing_again(self, finished: Path, pictures: Path, tried: list[float]) -> None:
        (finished / "scores.json").unlink(missing_ok=True)
        plan = json.loads((finished / "plan.json").read_text())
        (finished / "plan.json").write_text(json.dumps({**plan, "finished": False}))
        for _ in range(3):
            fit_in_part(pictures, finished)
            assert RunFolder(finished).load_config().sampling.guidance == 2.27
        assert tried == [1.75] * 3

    def test_by_continuing(self, finished: Path, tried: list[float]) -> None:
        for epochs in (3, 4):
            with pytest.raises(UnfinishedError):
                continue_training(finished, epochs=epochs, console=Console(quiet=True))
            assert RunFolder(finished).load_config().sampling.guidance == 2.27
        assert tried == [1.75] * 2

    def test_by_settings_of_another_run(
        self, finished: Path, tmp_path: Path, pictures: Path, tried: list[float]
    ) -> None:
        (finished / "scores.json").unlink(missing_ok=True)
        plan = json.loads((finished / "plan.json").read_text())
        (finished / "plan.json").write_text(json.dumps({**plan, "finished": False}))
        fit_in_part(pictures, finished)
        again = tmp_path / "again"
        with pytest.raises(UnfinishedError):
            latentbloom.fit(config=finished / "config.json", out=again, console=Console(quiet=True))
        assert tried == [1.75]
        assert RunFolder(again).load_config().sampling.guidance == 2.27
