"""What is wrong with a run or its pictures is said, and the scores that can be had still come."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from latentbloom.evaluate.scores import Scores
from tests.cli.conftest import CommandLine
from untrained import own_cache, pictures, run

__all__ = ["own_cache", "pictures", "run"]

FEW = ("-n", 16, "--per-label", 4)


def relabelled(pictures: Path, folder: Path, change: dict[str, str]) -> Path:
    """A copy of the pictures with words of labels.csv replaced."""
    shutil.copytree(pictures, folder)
    lines = (folder / "labels.csv").read_text(encoding="utf-8").splitlines()
    for old, new in change.items():
        lines = [line.replace(old, new) for line in lines]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_a_run_without_latents_is_scored_and_its_nearest_pairs_are_drawn(
    call: CommandLine, run: Path
) -> None:
    outcome = call("evaluate", run, *FEW)
    assert (outcome.code, outcome.err) == (0, "")
    scores = Scores.load(run / "scores.json").pictures
    assert [control.factor for control in scores.control] == ["colour", "height"]
    assert outcome.out.index("samples KID") < outcome.out.index("samples FD")  # few pictures
    with Image.open(run / "figures" / "copies.png") as sheet:
        assert sheet.width > 4 * sheet.height / 3  # eight pairs side by side


def test_a_label_that_training_lacks_costs_nothing_else(
    call: CommandLine, run: Path, pictures: Path, tmp_path: Path
) -> None:
    # Training shows one height, val both: heights cannot be classified, colours can.
    one_height = {"train,blue,high": "train,blue,low", "train,red,high": "train,red,low"}
    relabelled(pictures, tmp_path / "other", one_height)
    shutil.rmtree(pictures)
    (tmp_path / "other").rename(pictures)
    out = tmp_path / "scores.json"
    outcome = call("evaluate", run, *FEW, "--out", out)
    assert (outcome.code, outcome.err) == (0, "")
    scores = Scores.load(out).pictures
    notes = " ".join(scores.notes)
    assert "val has height=high, which no training picture has" in notes
    assert "No classifier for 'height': the training pictures show 1 of its values" in notes
    assert [control.factor for control in scores.control] == ["colour"]
    assert scores.copying is not None
    assert scores.manifold.keys() == {"precision", "recall", "density", "coverage"}


def test_too_few_pictures_say_how_many_are_needed(
    call: CommandLine, run: Path, pictures: Path, tmp_path: Path
) -> None:
    few_aside = {"val,red": "train,red", "val,blue,low": "train,blue,low"}
    relabelled(pictures, tmp_path / "other", few_aside)
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(pictures.glob("*.png"))[:6]:
        shutil.copy(path, few)
    outcome = call("evaluate", run, *FEW, "--against", few)
    assert outcome.code == 1
    assert f"'{few}' has 6 pictures; scores need 16 or more" in outcome.err
    shutil.rmtree(pictures)
    (tmp_path / "other").rename(pictures)
    outcome = call("evaluate", run, *FEW)
    assert outcome.code == 1
    assert f"'{pictures}' has 6 held-out pictures; scores need 16 or more" in outcome.err
    assert not (run / "scores.json").exists()


def test_a_negative_seed_is_refused(call: CommandLine, tmp_path: Path) -> None:
    outcome = call("evaluate", tmp_path, "--seed", -1)
    assert outcome.code == 2
    assert "'-1' is not allowed. Allowed: a whole number from 0 to" in outcome.err
