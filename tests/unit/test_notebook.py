"""What results look like in a notebook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.table import Table

import latentbloom
from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.model.records import MOST_SHOWN, Record, Records
from latentbloom.notebook import Drawings, html_of, in_notebook
from picture_files import noise, tree


def records(count: int, channels: int = 3) -> Records:
    made = [
        Record(noise(k, channels=channels, height=16, width=16), {}, 0, k, torch.zeros(1))
        for k in range(count)
    ]
    return Records(made, {})


@pytest.mark.parametrize("channels", [1, 3])
def test_records_are_a_grid_of_their_pictures(channels: int) -> None:
    import io

    some = records(9, channels)
    content = some._repr_png_()
    assert content is not None
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    alone = np.asarray(Image.open(io.BytesIO(some[4]._repr_png_())).convert("RGB"))
    side = 16 * 6
    expected = np.repeat(np.repeat(some[4].image, 6, 0), 6, 1)
    edge = (alone.shape[0] - side) // 2
    assert (alone[edge : edge + side, edge : edge + side] == expected).all()
    middle = (picture.shape[0] - side) // 2
    assert (picture[middle : middle + side, middle : middle + side] == expected).all()
    assert repr(some) == "Records(9 pictures)"


def test_very_many_records_show_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    many = records(MOST_SHOWN + 20)
    assert many._repr_png_() == many[:MOST_SHOWN]._repr_png_()
    assert records(0)._repr_png_() is None


def test_an_audit_is_a_table(tmp_path: Path) -> None:
    audit = latentbloom.audit(tree(tmp_path / "<b>", {"cat": 12, "dog": 12}))
    page = audit._repr_html_()
    assert "cat" in page
    assert "<b>" not in page
    assert "\x1b" not in page


def test_tables_keep_their_columns() -> None:
    table = Table("a", "b")
    table.add_row("1 < 2", "x")
    page = html_of(table)
    assert page.startswith("<pre")
    assert "1 &lt; 2" in page


def test_drawings_are_pictures_and_films(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"png")
    (tmp_path / "b.gif").write_bytes(b"gif")
    (tmp_path / "c.mp4").write_bytes(b"mp4")
    page = Drawings([tmp_path / name for name in ("a.png", "b.gif", "c.mp4", "d.png")])
    shown = page._repr_html_()
    assert shown.count("<img") == 2
    assert '<video controls loop src="data:video/mp4;base64,bXA0">' in shown
    assert Drawings()._repr_html_() == "<p>Nothing was drawn.</p>"


def test_errors(tmp_path: Path) -> None:
    assert not in_notebook()
    with pytest.raises(RunFolderError):
        latentbloom.show(tmp_path)
    with pytest.raises(RunFolderError, match="Score the run first"):
        latentbloom.scores(tmp_path)
    from latentbloom.config import RunConfig

    RunConfig().save(tmp_path / "config.json")
    with pytest.raises(ConfigError, match="There is no drawing 'mapp'. Did you mean map"):
        latentbloom.show(tmp_path, "mapp")
