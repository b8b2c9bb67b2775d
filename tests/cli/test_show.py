"""`latentbloom show`: what it draws, what it refuses, and that it needs no trainer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from latentbloom.cli.main import main
from latentbloom.cli.show_command import _NAMES
from latentbloom.figures.draw import DRAWINGS
from shown_run import coloured_pictures, open_splits, save_run, untrained_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with checkpoints, whose pictures are still there."""
    pictures = coloured_pictures(tmp_path_factory.mktemp("pictures"))
    model = untrained_model(open_splits(pictures)["train"])
    return save_run(tmp_path_factory.mktemp("runs") / "run", model, pictures)


def test_the_names_of_the_help_are_the_drawings() -> None:
    assert tuple(DRAWINGS) == _NAMES


def test_one_kind_is_drawn_and_the_report_renewed(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(saved, tmp_path / "copied elsewhere"))
    assert main(["show", str(run), "samples", "reconstructions"]) == 0
    said = capsys.readouterr().out
    assert "samples: samples_by_condition.png (" in said
    assert "Report in" in said
    assert {p.name for p in (run / "figures").glob("*.png")} == {
        "samples_by_condition.png",
        "reconstructions.png",
    }
    assert (run / "report.html").is_file()
    assert (run / "README.md").is_file()


def test_an_animation_as_asked(saved: Path, tmp_path: Path) -> None:
    from PIL import Image, ImageSequence

    run = Path(shutil.copytree(saved, tmp_path / "run"))
    asked = ["--cond", "colour=red,height=low", "--frames", "7", "--fps", "5", "--size", "40"]
    assert main(["show", str(run), "animation", *asked, "--format", "webp"]) == 0
    [path] = (run / "figures").glob("diffusion_animation*")
    assert path.name == "diffusion_animation_red-low.webp"
    with Image.open(path) as film:
        assert film.size == (5 * 44, 44)
        film.load()
        assert film.info["duration"] == 200
        assert len(list(ImageSequence.Iterator(film))) == 7


def test_without_its_pictures_the_rest_is_drawn_and_it_is_said(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(saved, tmp_path / "run"))
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    config["data"]["source"] = str(tmp_path / "gone")
    (run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    code = main(["show", str(run), "reconstructions", "prior", "--against", str(tmp_path / "no")])
    assert code == 0
    said = capsys.readouterr().out
    assert "No real pictures: " in said
    assert "No pictures of " in said
    assert "reconstructions: not drawn, no training pictures can be read" in said
    assert "prior: prior_samples.png" in said


@pytest.mark.parametrize(
    ("expected", "arguments", "message"),
    [
        (1, ["nowhere"], "There is no folder nowhere."),
        (2, ["{run}", "nonsense"], "'nonsense' is nothing to draw. Allowed: all, report, card,"),
        (2, ["{run}", "sampels"], "Did you mean samples"),
        (2, ["{run}", "animation", "--frames", "1"], "'1' is not allowed. Allowed: a whole number"),
        (2, ["{run}", "animation", "--fps", "0"], "'0' is not allowed. Allowed: a number above 0"),
        (2, ["{run}", "samples", "--cond", "colour=green"], "'green' is no value of 'colour'."),
    ],
)
def test_what_makes_no_sense_is_refused(
    saved: Path,
    expected: int,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["show", *(a.replace("{run}", str(saved)) for a in arguments)]
    try:
        code = main(words)
    except SystemExit as end:
        code = end.code
    assert code == expected
    assert message in capsys.readouterr().err
