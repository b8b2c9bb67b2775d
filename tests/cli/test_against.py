"""`--against OTHER`: all of it is compared with, and its scores stand apart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentbloom.errors import SourceError
from latentbloom.evaluate.against.other_set import OtherSet, open_other
from latentbloom.evaluate.run_sets import sets_of_run
from latentbloom.evaluate.scores import Scores
from latentbloom.report.page import write_report
from latentbloom.runs.folder import RunFolder
from picture_files import noise, save, tree
from shown_run import make_scores
from tests.cli.conftest import CommandLine
from untrained import own_cache, pictures, run

__all__ = ["own_cache", "pictures", "run"]

FEW = ("-n", 16, "--per-label", 4)


def flat(folder: Path, count: int, *, size: int = 32, channels: int = 3) -> Path:
    for k in range(count):
        save(folder / f"{k}.png", noise(k, height=size, width=size, channels=channels))
    return folder


def opened(run: Path, other: Path) -> OtherSet:
    train, _ = sets_of_run(RunFolder(run))
    return open_other(RunFolder(run), str(other), train.spec, own=train)


def test_a_flat_folder_is_compared_with_whole_and_written_apart(
    call: CommandLine, run: Path, tmp_path: Path
) -> None:
    other = flat(tmp_path / "found" / "wild", 50, size=40)
    make_scores().save(run / "scores.json")
    own = (run / "scores.json").read_bytes()

    outcome = call("evaluate", run, *FEW, "--against", other)

    assert (outcome.code, outcome.err) == (0, "")
    assert "is used without labels" in outcome.out
    assert "(40 x 40) are scaled to the run's 32 x 32" in outcome.out
    assert (run / "scores.json").read_bytes() == own
    file = run / "scores-against-wild.json"
    assert f"Written to {file}" in outcome.out
    scores = Scores.load(file)
    assert scores.against is not None
    assert (scores.against.source, scores.against.path) == (str(other), str(other.resolve()))
    assert scores.pictures.val == scores.against.pictures == 50
    assert scores.pictures.control == ()
    assert scores.pictures.copying is not None
    assert scores.pictures.copying.searched == 36  # the run's own training pictures
    assert scores.pictures.copying.worst[0].train.startswith("train_")
    with Image.open(run / "figures" / "copies-against-wild.png") as sheet:
        assert sheet.width > sheet.height

    page = write_report(run).read_text(encoding="utf-8")
    assert "Against all 50 pictures of" in page
    assert str(other.resolve()) in page

    second = shutil.copytree(run, tmp_path / "second")
    outcome = call("compare", run, second, "--out", tmp_path / "side.png")
    assert outcome.code == 0
    said = " ".join(outcome.out.split())
    assert "against held-out pictures of" in said
    assert "against all pictures of" in said


def test_a_run_whose_own_pictures_are_gone_still_gets_a_distance(
    call: CommandLine, run: Path, pictures: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    pictures.rename(other)

    outcome = call("evaluate", run, *FEW, "--against", other)

    assert (outcome.code, outcome.err) == (0, "")
    scores = Scores.load(run / "scores-against-other.json").pictures
    assert scores.copying is None
    assert scores.val == 60
    assert scores.kernel.floor.value == pytest.approx(0.0, abs=0.5)
    assert "copies are not searched" in " ".join(scores.notes)


def test_two_sources_of_one_name_have_two_files(
    call: CommandLine, run: Path, tmp_path: Path
) -> None:
    from latentbloom.evaluate.against.compared import open_compared

    folder = RunFolder(run)
    files = []
    for place in ("a", "b"):
        other = flat(tmp_path / place / "wild", 20)
        compared = open_compared(folder, against=str(other), say=lambda _: None)
        make_scores().model_copy(update={"against": compared.against}).save(compared.scores)
        files.append(compared.scores)
    again = open_compared(folder, against=str(tmp_path / "b" / "wild"), say=lambda _: None)
    assert files[0] != files[1]
    assert len(list(run.glob("scores-against-wild*.json"))) == 2
    assert Scores.load(files[1]).against == again.against


def test_labels_that_differ_are_named(run: Path, pictures: Path, tmp_path: Path) -> None:
    other = shutil.copytree(pictures, tmp_path / "other")
    table = other / "labels.csv"
    text = table.read_text().replace("colour,height", "colour,weight")
    text = text.replace(",red,", ",RED,").replace("val,blue", "val,green")
    table.write_text(text)

    found = opened(run, other)

    notes = " ".join(found.notes)
    assert "does not say height: that is left open" in notes
    assert "knows no colour=green, which 12 pictures" in notes
    spec = found.images.spec
    words = [spec.factor("colour").word(e.labels[0]) for e in found.images.entries]
    assert (words.count("red"), words.count("blue"), words.count("any")) == (30, 18, 12)
    assert found.about.labelled


def test_other_factors_leave_a_distance(run: Path, tmp_path: Path) -> None:
    found = opened(run, tree(tmp_path / "pets", {"cat": 10, "dog": 10}, size=16))

    assert not found.about.labelled
    assert len(found.images) == 20
    assert "is labelled by label, and the run by colour and height" in found.notes[0]
    assert "are smaller (16 x 16) than the run's (32 x 32) and are enlarged" in found.notes[1]


def test_grey_pictures_beside_a_run_in_colour_are_named(run: Path, tmp_path: Path) -> None:
    found = opened(run, flat(tmp_path / "grey", 16, channels=1))

    assert "are grey and the run is in colour" in " ".join(found.notes)


def test_training_pictures_among_them_are_counted(run: Path, pictures: Path) -> None:
    found = opened(run, pictures)

    assert "trained on 36 of the 60 pictures" in " ".join(found.notes)


def test_a_folder_without_pictures_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no pictures"):
        opened(run, tmp_path / "empty")


def test_changed_pictures_of_the_run_are_refused_all_the_same(
    call: CommandLine, run: Path, pictures: Path, tmp_path: Path
) -> None:
    from latentbloom.data.audit.changes import record_pictures
    from latentbloom.data.audit.run import audit_source
    from latentbloom.data.sources.open import open_source

    source = open_source(str(pictures))
    audit = audit_source(source)
    audit.save(run / "audit.json")
    record_pictures(source, audit, run / "pictures.json")
    changed = next(pictures.glob("train_*.png"))
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(changed)

    outcome = call("evaluate", run, *FEW, "--against", flat(tmp_path / "other", 20))

    assert outcome.code == 1
    assert f"other content under the same name ({changed.name})" in outcome.err


def test_a_map_is_of_the_runs_own_pictures(call: CommandLine, run: Path, tmp_path: Path) -> None:
    outcome = call("evaluate", run, "--against", tmp_path, "--map")
    assert outcome.code == 2
    assert "--map chooses settings by the run's own held-out pictures" in outcome.err


def test_show_keeps_the_runs_training_pictures(
    call: CommandLine, run: Path, tmp_path: Path
) -> None:
    other = flat(tmp_path / "other", 20)

    outcome = call("show", run, "neighbours", "reconstructions", "--against", other)

    assert outcome.code == 0
    assert "is used without labels" in outcome.out
    assert "neighbours: neighbours" in outcome.out
    known = json.loads((run / "figures" / "data" / "neighbours.json").read_text())
    assert "36 training pictures" in known["about"]["note"]
