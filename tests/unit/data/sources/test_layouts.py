"""Splits or labels, system folders, runs: what the sub-folders of a source are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from latentbloom.config import RunConfig, SourceOptions
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.folders.split_folders import split_word
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from picture_files import touch_tree


def opened(folder: Path) -> Source:
    return open_source(str(folder))


def values(source: Source) -> tuple[str, ...]:
    return source.spec.factors[0].values


def held_out(source: Source) -> set[str]:
    """First folders of the pictures that are held out."""
    return {e.name.split("/")[0] for e in source.entries if e.split == "val"}


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("Training", "Testing"),
        ("TRAIN", "TEST"),
        ("training_set", "test_set"),
        ("Training Data", "Validation Data"),
        ("seg_train", "seg_test"),
        ("train", "Evaluation"),
        ("trainset", "valset"),
    ],
)
def test_names_of_splits(tmp_path: Path, train: str, val: str) -> None:
    folders = {f"{train}/a": 12, f"{train}/b": 10, f"{val}/a": 3, f"{val}/b": 2}
    source = opened(touch_tree(tmp_path, folders))

    assert values(source) == ("a", "b")
    assert held_out(source) == {val}
    assert len(source.entries) == 27


@pytest.mark.parametrize(
    "classes",
    [
        ("train", "bus", "car"),
        ("train", "test", "val", "bus"),
        ("training", "reading"),
        ("test", "control"),
        ("Train", "Tram"),
    ],
)
def test_classes_that_are_called_like_splits(tmp_path: Path, classes: tuple[str, ...]) -> None:
    source = opened(touch_tree(tmp_path, dict.fromkeys(classes, 20)))

    assert set(values(source)) == set(classes)
    assert len(source.entries) == 20 * len(classes)
    if any(name.casefold() in ("train", "training") for name in classes):
        assert any("for a label" in note or "for labels" in note for note in source.notes)


def test_a_class_called_train_with_folders_of_its_own(tmp_path: Path) -> None:
    folders = {"train/steam": 10, "train/diesel": 10, "bus/red": 10, "bus/green": 10, "car": 10}

    assert values(opened(touch_tree(tmp_path, folders))) == ("bus", "car", "train")


def test_splits_beside_a_folder_of_something_else(tmp_path: Path) -> None:
    folders = {"train/a": 10, "train/b": 10, "test/a": 3, "test/b": 3, "unlabelled": 5}
    source = opened(touch_tree(tmp_path, folders))

    assert values(source) == ("a", "b")
    assert held_out(source) == {"test"}
    assert "unlabelled/ lies beside train/ and is not used." in source.notes


def test_one_more_folder_beside_train_alone(tmp_path: Path) -> None:
    source = opened(touch_tree(tmp_path, {"train/a": 10, "train/b": 10, "unlabelled": 5}))

    assert values(source) == ("a", "b")
    assert "unlabelled/ lies beside train/ and is not used." in source.notes


def test_splits_with_one_more_folder_of_the_same_name(tmp_path: Path) -> None:
    folders = {"seg_train/seg_train/a": 10, "seg_train/seg_train/b": 10}
    folders |= {"seg_test/seg_test/a": 3, "seg_test/seg_test/b": 3, "seg_pred/seg_pred": 4}
    source = opened(touch_tree(tmp_path, folders))

    assert values(source) == ("a", "b")
    assert held_out(source) == {"seg_test"}


@pytest.mark.parametrize(("one", "other"), [("train", "Train"), ("TRAIN", "train"), ("Val", "val")])
def test_a_split_that_is_there_twice_loses_nothing(tmp_path: Path, one: str, other: str) -> None:
    folders = {f"{one}/a": 10, f"{one}/b": 10, f"{other}/a": 6, f"{other}/b": 6}
    folders |= {"train/a": 10, "train/b": 10} if "val" in (one, other) else {"val/a": 4}
    source = opened(touch_tree(tmp_path, folders))

    assert len(source.entries) == sum(folders.values())
    assert source.set_aside == ()
    assert any("are read as one split" in note for note in source.notes)
    assert {e.split for e in source.entries if e.name.casefold().startswith("train/")} == {"train"}


def test_splits_without_one_to_train_on(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"val/a": 10, "val/b": 10, "test/a": 10, "test/b": 10})

    with pytest.raises(SourceError, match="holds the splits test/ and val/, but no train/"):
        opened(tmp_path)


def test_splits_without_labels(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"train": 20, "test": 10})

    with pytest.raises(SourceError, match="holds 30 pictures but no label folders"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("name", "word"),
    [("Testing", "test"), ("val ", "val"), ("train-images", "train"), ("bus_train", None)],
)
def test_words_of_splits(name: str, word: str | None) -> None:
    assert split_word(name) == word


SYSTEM = ("@eaDir", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", "#recycle")
SYSTEM += ("lost+found", "@Recycle", "#snapshot", "FOUND.000", "@tmp")
CACHES = (".ipynb_checkpoints", "__pycache__", ".cache", ".thumbnails")
HIDDEN = (".git", ".Trash-1000", ".Trashes", ".Spotlight-V100", ".stfolder")


@pytest.mark.parametrize("name", [*SYSTEM, *CACHES, *HIDDEN])
@pytest.mark.parametrize("above", ["", "cat/", "train/", "train/cat/"])
def test_folders_that_are_never_read(tmp_path: Path, name: str, above: str) -> None:
    start = "train/" if above.startswith("train") else ""
    folders = {f"{start}cat": 10, f"{start}dog": 10, f"{above}{name}": 3, f"{above}{name}/sub": 2}
    source = opened(touch_tree(tmp_path, folders))

    assert values(source) == ("cat", "dog")
    assert len(source.entries) == 20
    assert f"{above}{name}/" in {aside.name for aside in source.set_aside}
    (said,) = [note for note in source.notes if note.startswith("Not read: ")]
    assert f"({above}{name}/)" in said


def test_a_folder_that_says_that_it_is_a_cache(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"cat": 10, "dog": 10, "small/x": 5, "env/lib": 5})
    (tmp_path / "small/CACHEDIR.TAG").touch()
    (tmp_path / "env/pyvenv.cfg").touch()
    source = opened(tmp_path)

    assert values(source) == ("cat", "dog")
    assert "Not read: 2 caches (env/, small/)." in source.notes


def test_trash_is_a_class(tmp_path: Path) -> None:
    assert values(opened(touch_tree(tmp_path, {"paper": 10, "trash": 10}))) == ("paper", "trash")


def test_files_of_the_system(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"cat": 10, "dog": 10})
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._0.png"):
        (tmp_path / "cat" / name).touch()
    source = opened(tmp_path)

    assert len(source.entries) == 20
    assert {aside.name for aside in source.set_aside} == {
        *("cat/Thumbs.db", "cat/desktop.ini", "cat/.DS_Store", "cat/._0.png")
    }


def run_folder(folder: Path, *, kept: str = "config.json") -> Path:
    """What `fit` leaves, as far as a source can mistake it for labels."""
    touch_tree(folder, {"figures": 3, "samples/smiling": 4, "samples/not_smiling": 4})
    if kept == "config.json":
        RunConfig().save(folder / kept)
    elif kept == "plan.json":
        (folder / kept).write_text(json.dumps({"request": {}, "plan": {}}))
    else:
        (folder / kept).write_text(json.dumps({"format": "latentbloom-audit"}))
        (folder / "pictures.json").write_text("{}")
    return folder


@pytest.mark.parametrize("kept", ["config.json", "plan.json", "audit.json"])
@pytest.mark.parametrize("place", ["runs/pictures", "mine", "cat/run", "deep/er/run"])
def test_a_run_inside_the_pictures_is_never_a_source(tmp_path: Path, place: str, kept: str) -> None:
    touch_tree(tmp_path, {"cat": 10, "dog": 10})
    before = opened(tmp_path)
    run_folder(tmp_path / place, kept=kept)
    source = opened(tmp_path)

    assert source.entries == before.entries
    assert source.spec == before.spec
    assert f"Not read: 1 run of latentbloom ({place}/)." in source.notes


def test_a_run_inside_the_pictures_of_a_table(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"imgs": 20})
    run_folder(tmp_path / "runs" / "mine")
    rows = [f"imgs/{k}.png,{'ab'[k % 2]}" for k in range(20)]
    rows.append("runs/mine/samples/smiling/0.png,a")
    (tmp_path / "labels.csv").write_text("\n".join(["file,kind", *rows]))
    source = opened(tmp_path)

    assert len(source.entries) == 20
    assert "Not read: 1 run of latentbloom (runs/mine/)." in source.notes
    assert not any(note.startswith("Not in labels.csv") for note in source.notes)
    reasons = {aside.name: aside.reason for aside in source.set_aside}
    assert reasons["runs/mine/samples/smiling/0.png"] == "it lies in a run of latentbloom"


def test_a_run_itself_is_refused(tmp_path: Path) -> None:
    run_folder(tmp_path / "run")

    with pytest.raises(SourceError, match="is a run of latentbloom"):
        opened(tmp_path / "run")


def test_other_settings_make_no_run(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"cat": 10, "dog": 10})
    (tmp_path / "cat/config.json").write_text('{"model": "other"}')
    (tmp_path / "dog/audit.json").write_text("not json")

    assert len(opened(tmp_path).entries) == 20


def test_a_hundred_classes_of_one_picture_stay_in_train(tmp_path: Path) -> None:
    source = opened(touch_tree(tmp_path, {f"person_{k:03d}": 1 for k in range(100)}))

    assert {entry.split for entry in source.entries} == {"train"}
    assert source.notes == (
        "No val/ folder: no picture is held out, because no label has one to spare.",
    )


@pytest.mark.parametrize("few", [1, 2])
def test_a_class_of_few_pictures_beside_large_ones_stays_in_train(tmp_path: Path, few: int) -> None:
    counts = {"cat": 60, "dog": 60, **{f"rare{k}": few for k in range(30)}}
    source = open_source(SourceOptions(source=str(touch_tree(tmp_path, counts)), val_share=0.5))

    shown = {e.labels for e in source.entries if e.split == "train"}
    assert len(shown) == 32


def test_a_pipe_is_set_aside_by_name(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"cat": 10, "dog": 10})
    os.mkfifo(tmp_path / "cat/pipe.png")
    (tmp_path / "cat/lost.png").symlink_to(tmp_path / "nowhere.png")
    source = opened(tmp_path)

    assert len(source.entries) == 20
    assert {aside.name: aside.reason for aside in source.set_aside} == {
        "cat/pipe.png": "it is a named pipe, not a file",
        "cat/lost.png": "there is no file behind its link",
    }
