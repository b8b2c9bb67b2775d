"""Pictures that are added or removed while a run exists are noticed by `fit` and `evaluate`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import latentbloom
from latentbloom.errors import SourceError
from latentbloom.evaluate.against.other_set import open_other
from latentbloom.evaluate.run_sets import sets_of_run
from latentbloom.runs.folder import RunFolder
from tiny_run import TINY, make_pictures


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Path, Path]:
    """Pictures, and a run on them that ended after stage 1."""
    pictures = make_pictures(tmp_path / "pictures", per_label=20, splits=False)
    run = tmp_path / "run"
    latentbloom.fit(pictures, out=run, overrides=TINY, only_autoencoder=True)
    return pictures, run


def add(pictures: Path, count: int) -> None:
    for k in range(count):
        shutil.copy(pictures / "day" / "0.png", pictures / "day" / f"more{k}.png")


def test_a_run_is_not_resumed_on_other_pictures(begun: tuple[Path, Path]) -> None:
    pictures, run = begun
    add(pictures, 5)
    (pictures / "night" / "7.png").unlink()

    with pytest.raises(SourceError) as error:
        latentbloom.fit(pictures, out=run, overrides=TINY)

    said = str(error.value)
    assert "5 pictures added (day/more0.png, day/more1.png, day/more2.png and 2 more)" in said
    assert "1 picture removed (night/7.png)" in said
    assert "--accept-changed-data" in said


def test_unless_that_is_asked_for(begun: tuple[Path, Path]) -> None:
    pictures, run = begun
    add(pictures, 5)

    model = latentbloom.fit(pictures, out=run, overrides=TINY, accept_changed_data=True)

    assert model is not None


def test_scores_are_not_computed_on_other_pictures(begun: tuple[Path, Path]) -> None:
    pictures, run = begun
    folder = RunFolder(run)
    before = [{entry.name for entry in images.entries} for images in sets_of_run(folder)]
    add(pictures, 30)

    with pytest.raises(SourceError, match="30 pictures added"):
        sets_of_run(folder)

    said: list[str] = []
    train, val = sets_of_run(folder, accept_changed_data=True, say=said.append)
    assert "30 pictures added" in said[0]
    assert before[0] <= {entry.name for entry in train.entries}
    assert before[1] <= {entry.name for entry in val.entries}
    assert not before[0] & {entry.name for entry in val.entries}
    other = open_other(folder, str(pictures), train.spec)  # another source is not compared
    assert len(other.images) == 70
