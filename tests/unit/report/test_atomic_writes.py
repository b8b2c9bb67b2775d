"""Figures, their sheets, the report and the card are written beside and renamed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentbloom.data.imageset import ImageSet
from latentbloom.figures.draw import DRAWINGS, draw_scene
from latentbloom.figures.scene import AnimationSettings, Scene
from latentbloom.model.generator import Model
from latentbloom.pictures.preview import save_preview
from latentbloom.report.card import write_card
from latentbloom.report.page import write_report
from shown_run import make_run

_watching: list[tuple[Path, list[str]]] = []


def _note_writes(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _watching or not isinstance(arguments[0], str):
        return
    folder, opened = _watching[-1]
    if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(folder) in arguments[0]:
        opened.append(Path(arguments[0]).name)


sys.addaudithook(_note_writes)


@contextmanager
def writes_under(folder: Path) -> Iterator[list[str]]:
    """The names of all files under a folder that are opened for writing."""
    opened: list[str] = []
    _watching.append((folder, opened))
    try:
        yield opened
    finally:
        _watching.pop()


def test_no_file_is_opened_for_writing_under_its_own_name(
    tmp_path: Path, model: Model, splits: dict[str, ImageSet]
) -> None:
    run = make_run(tmp_path / "run", model)
    with writes_under(run) as opened:
        settings = AnimationSettings(frames=2, size=8)
        scene = Scene(run, model, splits["val"], splits["train"], animation=settings)
        draw_scene(scene, tuple(name for name in DRAWINGS if name != "map"))
        write_report(run)
        write_card(run)
        save_preview(run / "samples" / "preview.png", splits["val"].images([0, 1]))
    assert len(opened) > 20
    in_place = [name for name in opened if not re.match(r"\.\d+\.new\.", name)]
    assert in_place == []
    assert not [path for path in run.rglob(".*") if path.is_file()], "none is left behind"


def test_a_figure_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_preview(tmp_path / "preview.png", np.zeros((1, 8, 8, 3), np.uint8))
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("latentbloom.storage.files.sync", full)
    with pytest.raises(OSError, match="No space left"):
        save_preview(path, np.zeros((1, 8, 8, 3), np.uint8))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["preview.png"]
