"""Fixtures: a tiny model, a few pictures on disk, a run folder, and the same with all figures."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest

from latentbloom.data.imageset import ImageSet
from latentbloom.figures.draw import draw_scene
from latentbloom.figures.scene import AnimationSettings, Scene
from latentbloom.model.generator import Model
from shown_run import coloured_pictures, make_audit, make_run, open_splits, untrained_model


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coloured_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def splits(pictures: Path) -> dict[str, ImageSet]:
    return open_splits(pictures)


@pytest.fixture(scope="session")
def model(splits: dict[str, ImageSet]) -> Model:
    return untrained_model(splits["train"])


@pytest.fixture
def run(tmp_path: Path, model: Model) -> Path:
    """A finished run: settings and metrics, no figures yet."""
    return make_run(tmp_path / "my run", model)


@functools.cache
def _draw_all(base: Path) -> tuple[Path, dict[str, str]]:
    """Drawn once a session, whichever folder of tests asks first."""
    pictures = base / "drawn_pictures"
    pictures.mkdir()
    coloured_pictures(pictures)
    splits = open_splits(pictures)
    model = untrained_model(splits["train"])
    folder = make_run(base / "drawn" / "my run", model)
    make_audit(pictures, folder)
    missing: dict[str, str] = {}
    short = AnimationSettings(frames=12)
    scene = Scene(folder, model, splits["val"], splits["train"], animation=short)
    draw_scene(scene, on_missing=missing.__setitem__)
    return folder, missing


@pytest.fixture
def drawn(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """The same with all figures."""
    return Path(shutil.copytree(_draw_all(tmp_path_factory.getbasetemp())[0], tmp_path / "my run"))


@pytest.fixture
def not_drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What could not be drawn there, and why."""
    return _draw_all(tmp_path_factory.getbasetemp())[1]
