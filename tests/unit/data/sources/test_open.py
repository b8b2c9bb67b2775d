"""What `open_source` takes for a source."""

from __future__ import annotations

from pathlib import Path

import pytest

import latentbloom
from latentbloom.data.sources.built_in import BUILT_INS
from latentbloom.data.sources.open import open_source
from latentbloom.errors import ConfigError, SourceError
from picture_files import touch_tree


def test_no_such_folder_names_those_nearby(tmp_path: Path) -> None:
    (tmp_path / "smiles").mkdir()
    (tmp_path / "flowers").mkdir()

    with pytest.raises(SourceError) as error:
        open_source(str(tmp_path / "smile"))

    message = str(error.value)
    assert f"There is no folder '{tmp_path / 'smile'}'" in message
    assert f"Did you mean {tmp_path / 'smiles'}?" in message
    assert "synthetic-flowers" in message


def test_no_such_folder_names_built_in_sources_nearby() -> None:
    with pytest.raises(SourceError, match="Did you mean synthetic-flowers"):
        open_source("synthetic-flower")


def test_no_such_folder_in_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no folder"):
        open_source(tmp_path / "no" / "such" / "place")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("many faces")

    with pytest.raises(SourceError, match=r"is a file, not a folder.*or a zip or tar of one"):
        open_source(notes)


def test_labels_csv_may_be_given_itself(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"pictures": 20})
    rows = "".join(f"pictures/{k}.png,{'cat' if k % 2 else 'dog'}\n" for k in range(20))
    (tmp_path / "labels.csv").write_text("file,kind\n" + rows)

    assert open_source(tmp_path / "labels.csv").entries == open_source(tmp_path).entries


@pytest.mark.parametrize("share", [-0.1, 0.95])
def test_an_impossible_share(share: float) -> None:
    with pytest.raises(ConfigError, match=r"val_share: Input should be (less|greater) than or"):
        latentbloom.audit("synthetic-flowers", val_share=share)


@pytest.mark.parametrize("name", [name for name, known in BUILT_INS.items() if known.synthetic])
def test_every_synthetic_source_opens_and_reads(name: str) -> None:
    source = open_source(name)

    assert source.name == name
    assert source.read(source.entries[0], size=32).shape == (32, 32, 3)


@pytest.mark.parametrize("where", ["synthetic-faces:", "synthetic-faces:8", "synthetic-faces:few"])
def test_a_number_of_drawn_pictures_that_makes_no_sense(where: str) -> None:
    with pytest.raises(SourceError, match="16 or more, as in synthetic-faces:2000"):
        open_source(where)
