"""Pictures that change after a run began: said and refused, unless that is asked for."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import latentbloom
from latentbloom.cli.main import main
from latentbloom.errors import SourceError
from latentbloom.evaluate.run_sets import sets_of_run
from latentbloom.runs.folder import RunFolder
from tiny_run import TINY, make_pictures


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "pictures", splits=False)


@pytest.fixture
def run(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was stopped in stage 1: it has begun, and nothing is trained."""
    monkeypatch.setattr("latentbloom.fitting.whole_run.Fitting.run", lambda _, run, **__: run)
    fit(pictures, tmp_path / "run")
    return tmp_path / "run"


def fit(pictures: Path, run: Path, *, accept: bool = False) -> tuple[str, dict[str, str]]:
    """What a call says, and the split of each picture that it would train with."""
    said = io.StringIO()
    opened: Any = latentbloom.fit(
        pictures,
        out=run,
        overrides=TINY,
        accept_changed_data=accept,
        console=Console(file=said, width=2000),
    )
    return said.getvalue(), {e.name: e.split for e in opened.source.entries}


def add(pictures: Path, count: int) -> None:
    for i in range(count):
        shutil.copy(pictures / "day" / "0.png", pictures / "day" / f"added{i}.png")


def test_added_pictures_are_refused_by_name_and_number(pictures: Path, run: Path) -> None:
    add(pictures, 5)
    (pictures / "night" / "3.png").unlink()
    expected = r"5 pictures added \(day/added0.png, .* and 2 more\) and 1 picture removed \(night/3"
    with pytest.raises(SourceError, match=expected):
        fit(pictures, run)
    with pytest.raises(SourceError, match="--accept-changed-data"):
        fit(pictures, run)


def test_accepted_they_move_no_picture_that_the_run_knows(pictures: Path, run: Path) -> None:
    _, before = fit(pictures, run)
    add(pictures, 30)
    said, after = fit(pictures, run, accept=True)
    assert "30 pictures added" in said
    assert {name: after[name] for name in before} == before
    add(pictures, 60)  # and those that were accepted stay where they are, too
    _, later = fit(pictures, run, accept=True)
    assert {name: later[name] for name in after} == after


def test_new_labels_need_a_new_run(pictures: Path, run: Path) -> None:
    shutil.copytree(pictures / "day", pictures / "dusk")
    with pytest.raises(SourceError, match=r"label gained dusk.*start a new run"):
        fit(pictures, run, accept=True)


def test_evaluate_refuses_too(
    pictures: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(pictures, 5)
    assert main(["evaluate", str(run)]) == 1
    assert "5 pictures added" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--accept-changed-data"]) == 1
    said = capsys.readouterr()
    assert "5 pictures added" in said.out
    assert "has no denoiser yet" in said.err
    train, val = sets_of_run(RunFolder(run), accept_changed_data=True)
    assert len(train) + len(val) == 29
