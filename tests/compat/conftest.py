"""A run of two epochs, for the calls that need a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import latentbloom
from latentbloom.runs.folder import RunFolder
from tiny_run import TINY, make_pictures

QUIET = Console(quiet=True)
# A constant learning rate: then the length of the whole decides nothing.
STEADY: dict[str, Any] = {
    **TINY,
    "autoencoder.base_width": 8,
    "train.vae_gan_images": 24,
    "train.diffusion_images": None,
    "train.warmup_share": 0.0,
    "train.decay_start": 1.0,
    "train.checkpoint_epochs": 1,
    "denoiser.depth": 1,
}


@pytest.fixture(scope="package")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(autouse=True)
def _no_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    def finish(folder: RunFolder, *_: object) -> object:
        return latentbloom.load(folder.path)

    monkeypatch.setattr("latentbloom.fitting.finish.finish", finish)


def fit(pictures: Path, run: Path, epochs: float, **more: Any) -> None:
    overrides = {**STEADY, "train.diffusion_epochs": epochs, **more}
    latentbloom.fit(pictures, out=run, preset="classic", overrides=overrides, console=QUIET)


@pytest.fixture(scope="package")
def two_epochs(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    run = tmp_path_factory.mktemp("runs") / "two"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("latentbloom.fitting.finish.finish", lambda *_: None)
        fit(pictures, run, 2)
    return run
