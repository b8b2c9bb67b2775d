"""Fixtures: coloured pictures and an untrained run on them, with a cache of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from shown_run import coloured_pictures, untrained_run


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return coloured_pictures(folder)


@pytest.fixture
def run(tmp_path: Path, pictures: Path) -> Path:
    return untrained_run(tmp_path / "run", pictures)
