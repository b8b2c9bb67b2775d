"""Drawings from a whole, if untrained, model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.base import FileSource
from latentbloom.data.sources.open import open_source
from latentbloom.figures import draw
from latentbloom.figures.condition_words import condition_rows, full_conditions, phrase
from latentbloom.figures.draw import draw_figures, draw_scene
from latentbloom.figures.from_pictures.colour_rows import draw_colours
from latentbloom.figures.scene import AnimationSettings, MissingPiece, Scene
from latentbloom.figures.sheets import Sheet, make_sheet
from latentbloom.model.generator import Model
from latentbloom.pictures.images import read_picture
from latentbloom.report.page import write_report
from picture_files import tree
from shown_run import make_run, untrained_model


def test_asked_pictures_are_those_of_sample(model: Model) -> None:
    wanted = model.sample(cond={"colour": "red"}, n=4, seed=3)
    records = model.sample({"colour": "red"}, indices=[2, 1], seed=3)
    assert np.array_equal(records[0].image, wanted[2].image)
    assert np.array_equal(records[1].image, wanted[1].image)
    (one,) = model.sample(n=1, path=True)
    assert len(one.path) == model.config.sampling.num_steps + 1


def test_everything_is_drawn(drawn: Path, not_drawn: dict[str, str]) -> None:
    assert not_drawn == {}
    assert {
        "reconstructions.png",
        "samples_by_condition.png",
        "prior_samples.png",
        "autoencoder_losses.png",
        "diffusion_loss.png",
    } <= {path.name for path in (drawn / "figures").iterdir()}


def test_reconstructions_go_from_worst_to_best(splits: dict[str, ImageSet], drawn: Path) -> None:
    sheet = Sheet.load(drawn, "reconstructions")
    assert sheet is not None
    first = [p["psnr"] for p in sheet.pictures[: sheet.cols]]
    assert first == sorted(first)
    error = np.square(sheet.row(0)[0].astype(float) - sheet.row(1)[0]).mean()
    assert first[0] == pytest.approx(10 * np.log10(255**2 / error), abs=0.006)
    assert {p["group"] for p in sheet.pictures} == {"worst", "middle", "best"}
    real = splits["val"].images(range(len(splits["val"]))).permute(0, 2, 3, 1).numpy()
    assert all((real == picture).all(axis=(1, 2, 3)).any() for picture in sheet.row(0))


def test_a_column_of_samples_begins_with_the_same_noise(model: Model, drawn: Path) -> None:
    sheet = Sheet.load(drawn, "samples_by_condition")
    assert sheet is not None
    assert len(sheet.rows) == 4
    assert sheet.rows[1] == "blue, low"
    wanted = model.sample(cond=sheet.pictures[sheet.cols]["cond"], n=sheet.cols, seed=0)
    assert np.array_equal(sheet.row(1), np.stack([r.image for r in wanted]))


def test_colours_of_training_pictures_are_drawn_where_colour_is_a_condition(
    splits: dict[str, ImageSet], tmp_path: Path
) -> None:
    scene = Scene(tmp_path, train=splits["train"])
    (path,) = draw_colours(scene)
    assert path == tmp_path / "figures" / "color_label_sample.png"
    board = read_picture(path).astype(int)
    red, blue = (board[..., 0] - board[..., 2] > 60), (board[..., 2] - board[..., 0] > 60)
    # A row a colour: what is red and what is blue do not stand side by side.
    assert red.any()
    assert blue.any()
    assert not (red.any(axis=1) & blue.any(axis=1)).any()
    sheet = Sheet.load(tmp_path, "colours")
    assert sheet is not None
    assert sheet.rows == ("blue (18)", "red (18)")
    assert not sheet.about["found"], "these labels tell it"
    faces = open_source("synthetic-faces:16")
    plain = ImageSet(faces, faces.entries[:2], size=32, channels=3)
    with pytest.raises(MissingPiece, match="colour is not a condition of this data"):
        draw_colours(Scene(tmp_path, train=plain))


def test_without_val_training_pictures_serve_and_without_both_it_is_said(
    model: Model, splits: dict[str, ImageSet], run: Path
) -> None:
    draw_figures(model, None, run, train=splits["train"], what=["reconstructions"])
    sheet = Sheet.load(run, "reconstructions")
    assert sheet is not None
    assert "training pictures" in sheet.about["note"]
    missing: dict[str, str] = {}
    files = draw_figures(None, None, run, on_missing=missing.__setitem__)
    assert {path.name for path in files} == {"autoencoder_losses.png", "diffusion_loss.png"}
    assert missing["samples"] == "there is no trained model yet"
    missing.clear()
    (run / "metrics.jsonl").unlink()
    what = ["reconstructions", "curves"]
    draw_figures(model, None, run, what=what, on_missing=missing.__setitem__)
    assert missing == {
        "reconstructions": "no training pictures can be read",
        "curves": "there are no losses in metrics.jsonl yet",
    }


def test_what_a_model_has_no_use_for_is_told_to_who_asks_and_not_logged(
    run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faces = open_source("synthetic-faces:16")
    plain = ImageSet(faces, faces.entries[:2], size=32, channels=3)
    what = ["colours", "samples"]
    assert draw_figures(None, None, run, train=plain, what=what) == []
    assert caplog.messages == ["Not drawn: samples (there is no trained model yet)"]
    missing: dict[str, str] = {}
    draw_figures(None, None, run, train=plain, what=what, on_missing=missing.__setitem__)
    assert missing.keys() == {"colours", "samples"}


def test_one_that_fails_costs_no_other(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scene: object) -> list[Path]:
        raise ZeroDivisionError("of all things")

    monkeypatch.setitem(draw.DRAWINGS, "samples", draw.Drawing("", broken))
    missing: dict[str, str] = {}
    files = draw_figures(
        None, None, run, what=["samples", "curves"], on_missing=missing.__setitem__
    )
    assert missing == {"samples": "it failed: ZeroDivisionError: of all things"}
    assert len(files) == 2


def test_with_one_label_alone_the_rest_is_drawn(tmp_path: Path) -> None:
    """No source offers it, but nothing here may lean on that."""
    tree(tmp_path / "pictures", {"rose": 24, "tulip": 1}, size=32)
    source = open_source(str(tmp_path / "pictures"))
    assert isinstance(source, FileSource)
    roses = tuple(entry for entry in source.entries if entry.labels == (0,))
    source = replace(source, spec=ConditionSpec((Factor("kind", ("rose",)),)), entries=roses)
    one = ImageSet(source, source.entries, size=32, channels=3)
    model = untrained_model(one)
    run = make_run(tmp_path / "run", model)
    missing: dict[str, str] = {}
    scene = Scene(run, model, None, one, animation=AnimationSettings(frames=3))
    draw_scene(scene, on_missing=missing.__setitem__)
    assert missing == {
        "colours": "colour is not a condition of this data; add it with `--factors`",
        "factors": "the model has fewer than two conditions; samples by condition show them",
        "edits": "the model has no condition with two values, so nothing to change",
    }
    assert {"latent_map", "denoising_path_rose", "interpolation", "guidance_by_steps"} <= {
        path.stem for path in (run / "figures").iterdir()
    }
    page = write_report(run).read_text(encoding="utf-8")
    assert "could not be made" not in page
    assert "between two seeds" in page


def test_no_drawing_is_begun_when_time_is_up(run: Path) -> None:
    missing: dict[str, str] = {}
    assert draw_figures(None, None, run, seconds=-1.0, on_missing=missing.__setitem__) == []
    assert "time was up" in missing["curves"]


def spec(*sizes: int) -> ConditionSpec:
    return ConditionSpec(
        tuple(Factor(f"f{k}", tuple(f"{k}v{v}" for v in range(n))) for k, n in enumerate(sizes))
    )


def test_rows_are_all_combinations_or_single_values_or_an_even_choice() -> None:
    assert condition_rows(spec()) == ([{}], "")
    few, note = condition_rows(spec(2, 3))
    assert len(few) == 6
    assert note == ""
    single, note = condition_rows(spec(5, 4))
    assert len(single) == 9
    assert note == "Factors that a row does not name are left open."
    many, note = condition_rows(spec(102))
    assert [many[0], many[-1]] == [{"f0": "0v0"}, {"f0": "0v101"}]
    assert len(many) == 12
    assert note == "12 of 102 conditions."


def test_full_conditions_name_every_factor_and_show_every_value() -> None:
    assert full_conditions(spec(), 6) == [{}]
    assert len(full_conditions(spec(2, 3), 6)) == 6
    steps = full_conditions(spec(2, 5, 3), 6)
    assert [tuple(words.values()) for words in steps][:3] == [
        ("0v0", "1v0", "2v0"),
        ("0v1", "1v1", "2v1"),
        ("0v0", "1v2", "2v2"),
    ]
    assert len(steps) == 5
    few = full_conditions(spec(102), 4)
    assert [words["f0"] for words in few] == ["0v0", "0v34", "0v67", "0v101"]


def test_conditions_in_words() -> None:
    assert phrase({"smiling": "yes", "hair": "red", "hat": "any"}) == "smiling: yes, red"
    assert phrase({}) == "any"


def test_a_sheet_comes_back_as_it_was_and_a_broken_one_is_none(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)
    known = [{"k": k} for k in range(5)]
    sheet = make_sheet("s", pixels, rows=["ä", "b", "c"], cols=2, pictures=known, about={"n": 1})
    path = sheet.save(tmp_path)
    again = Sheet.load(tmp_path, "s")
    assert again is not None
    assert np.array_equal(again.pixels, pixels)
    assert (again.rows, again.cols, again.about) == (("ä", "b", "c"), 2, {"n": 1})
    assert list(again.pictures) == known
    path.write_text('{"count": 5', encoding="utf-8")
    assert Sheet.load(tmp_path, "s") is None
    assert Sheet.load(tmp_path, "t") is None
