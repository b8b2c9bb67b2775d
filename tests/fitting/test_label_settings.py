"""How labels are read is part of a run: resume and evaluate read them the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

import latentbloom
from latentbloom.data.sources.open import open_source
from latentbloom.errors import RunFolderError
from latentbloom.evaluate.run_sets import sets_of_run
from latentbloom.runs.folder import RunFolder
from picture_files import noise, save
from tiny_run import TINY, make_pictures


def write_table(folder: Path, count: int) -> Path:
    """Pictures with an age from 20 and a word for whether they smile."""
    rows = []
    for k in range(count):
        save(folder / f"{k}.png", noise(k, height=32, width=32))
        rows.append(f"{k}.png,{20 + k},{('Y', 'N', 'nan')[k % 3]}")
    text = "\n".join(["file,age,smiling", *rows])
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return folder


def test_bins_stay_where_they_were(tmp_path: Path) -> None:
    pictures, run = write_table(tmp_path / "pictures", 48), RunFolder(tmp_path / "run")
    settings = {**TINY, "data.bins": "age=3"}
    latentbloom.fit(pictures, out=run.path, overrides=settings, only_autoencoder=True)

    assert run.load_config().data.bins == "age=36/52"
    before, _ = sets_of_run(run)
    assert before.spec.to_json() == [
        {"name": "age", "values": ["under 36", "36-51", "52 and over"]},
        {"name": "smiling", "values": ["no", "yes"]},
    ]
    write_table(pictures, 60)  # their own thirds would be others
    latentbloom.fit(
        pictures, out=run.path, overrides=settings, only_autoencoder=True, accept_changed_data=True
    )
    after, _ = sets_of_run(run, accept_changed_data=True)
    assert after.spec == before.spec


def test_words_as_written_are_part_of_the_run(tmp_path: Path) -> None:
    pictures, run = write_table(tmp_path / "pictures", 48), RunFolder(tmp_path / "run")
    settings = {**TINY, "data.values_as_written": True, "data.factors": "smiling"}
    latentbloom.fit(pictures, out=run.path, overrides=settings, only_autoencoder=True)

    train, _ = sets_of_run(run)
    assert train.spec.factor("smiling").values == ("N", "nan", "Y")
    with pytest.raises(RunFolderError, match="data.values_as_written was True, now False"):
        latentbloom.fit(
            pictures, out=run.path, overrides={**settings, "data.values_as_written": False}
        )


def test_a_run_beside_its_pictures_changes_nothing(tmp_path: Path) -> None:
    """As `cd pictures; latentbloom fit .` does: the run goes to pictures/runs/pictures."""
    pictures = make_pictures(tmp_path / "pictures", per_label=20, splits=False)
    before = open_source(pictures)
    run = RunFolder(pictures / "runs" / "pictures")
    latentbloom.fit(pictures, out=run.path, overrides=TINY, only_autoencoder=True)
    figure = save(run.path / "figures" / "day" / "grid.png", noise(1))
    assert figure.is_file()

    again = open_source(pictures)

    assert again.entries == before.entries
    assert again.spec == before.spec
    assert "Not read: 1 run of latentbloom (runs/pictures/)." in again.notes
    train, val = sets_of_run(run)
    assert len(train) + len(val) == 40
    latentbloom.fit(pictures, out=run.path, overrides=TINY, only_autoencoder=True)
