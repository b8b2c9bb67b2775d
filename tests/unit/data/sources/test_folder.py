"""Folders whose sub-folders are labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from latentbloom.config import SourceOptions
from latentbloom.data.sources.base import FileSource, Source
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from picture_files import touch_tree


def opened(folder: Path, val_share: float = 0.1) -> Source:
    return open_source(SourceOptions(source=str(folder), val_share=val_share))


def names(source: Source, split: str) -> set[str]:
    return {entry.name for entry in source.entries if entry.split == split}


def test_train_and_val_folders(tmp_path: Path) -> None:
    counts = {"train/not_smiling": 12, "train/smiling": 8, "val/not_smiling": 3, "val/smiling": 2}
    source = opened(touch_tree(tmp_path / "faces", counts))

    assert source.spec.to_json() == [{"name": "smiling", "values": ["no", "yes"]}]
    assert len(names(source, "train")) == 20
    assert names(source, "val") == {
        *(f"val/not_smiling/{k}.png" for k in range(3)),
        *(f"val/smiling/{k}.png" for k in range(2)),
    }
    by_name = {entry.name: entry for entry in source.entries}
    assert by_name["train/smiling/3.png"].labels == (1,)
    assert by_name["val/not_smiling/0.png"].labels == (0,)
    assert by_name["val/smiling/1.png"].path == tmp_path / "faces/val/smiling/1.png"
    assert not source.synthetic
    assert source.notes == ()
    assert source.set_aside == ()


def test_without_val_a_share_of_each_label_is_kept_aside(tmp_path: Path) -> None:
    source = opened(touch_tree(tmp_path, {"cat": 30, "dog": 20}), val_share=0.1)

    val = names(source, "val")
    assert sum(name.startswith("cat/") for name in val) == 3
    assert sum(name.startswith("dog/") for name in val) == 2
    assert "5 of 50 pictures are held out" in source.notes[0]


def test_the_choice_does_not_depend_on_the_train_folder(tmp_path: Path) -> None:
    plain = opened(touch_tree(tmp_path / "plain", {"cat": 30, "dog": 20}))
    nested = opened(touch_tree(tmp_path / "nested", {"train/cat": 30, "train/dog": 20}))

    assert {f"train/{name}" for name in names(plain, "val")} == names(nested, "val")


def test_adding_a_file_moves_at_most_one(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"cat": 30, "dog": 20})
    before = names(opened(tmp_path), "val")
    (tmp_path / "cat/new.png").touch()

    after = names(opened(tmp_path), "val")

    assert len(before - after) <= 1
    assert {name for name in before if name.startswith("dog/")} <= after


@pytest.mark.parametrize("word", ["valid", "validation", "Test"])
def test_other_names_of_val_are_used_with_a_note(tmp_path: Path, word: str) -> None:
    source = opened(touch_tree(tmp_path, {"train/a": 10, "train/b": 10, f"{word}/a": 4}))

    assert names(source, "val") == {f"{word}/a/{k}.png" for k in range(4)}
    assert f"There is no val/: {word}/ is used in its place." in source.notes


def test_test_is_not_used_when_val_is_there(tmp_path: Path) -> None:
    counts = {"train/a": 10, "train/b": 10, "val/a": 2, "test/b": 4}
    source = opened(touch_tree(tmp_path, counts))

    assert names(source, "val") == {"val/a/0.png", "val/a/1.png"}
    assert "test/ lies beside train/ and is not used." in source.notes


def test_pictures_at_any_depth_below_a_label(tmp_path: Path) -> None:
    source = opened(touch_tree(tmp_path, {"cat/tabby/young": 10, "cat/siam": 5, "dog": 10}))

    by_name = {entry.name: entry for entry in source.entries}
    assert by_name["cat/tabby/young/0.png"].labels == (0,)
    assert len(by_name) == 25


def test_linked_folders_are_followed_and_loops_end(tmp_path: Path) -> None:
    elsewhere = touch_tree(tmp_path / "elsewhere", {"cats": 10})
    root = touch_tree(tmp_path / "root", {"dog": 10})
    (root / "cat").symlink_to(elsewhere / "cats")
    (root / "dog" / "again").symlink_to(root / "dog")

    source = opened(root)

    assert len(source.entries) == 20


def test_what_is_no_picture_is_set_aside(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"cat": 10, "dog": 10, ".cache": 3, "empty": 0})
    (tmp_path / "cat/notes.txt").touch()
    (tmp_path / "cat/.hidden.png").touch()
    (tmp_path / "cat/.git").mkdir()
    (tmp_path / "cat/.git/x.png").touch()
    (tmp_path / "loose.png").touch()
    (tmp_path / "cat/PHOTO.JPG").touch()

    source = opened(tmp_path)

    assert isinstance(source, FileSource)
    assert len(source.entries) == 21
    assert {aside.name: aside.reason for aside in source.set_aside} == {
        "cat/notes.txt": "it is not a picture",
        "cat/.hidden.png": "it is hidden",
        "loose.png": "it lies beside the label folders",
        ".cache/": "it is a cache",
        "cat/.git/": "it is hidden",
    }
    assert "Not read: 1 hidden folder (cat/.git/), 1 cache (.cache/)." in source.notes
    assert "empty/ holds no pictures and is not used." in source.notes


def test_a_label_that_only_val_knows_is_set_aside(tmp_path: Path) -> None:
    counts = {"train/a": 10, "train/b": 10, "val/a": 2, "val/c": 3}
    source = opened(touch_tree(tmp_path, counts))

    assert source.spec.factors[0].values == ("a", "b")
    assert len(source.set_aside) == 3
    assert source.set_aside[0].reason == "its label 'c' does not occur in train/"


def test_one_label_only(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"smiling": 20})

    with pytest.raises(SourceError) as error:
        opened(tmp_path)

    assert "has one label only, 'smiling'" in str(error.value)
    assert "Put the pictures that do not show it into not_smiling/" in str(error.value)


def test_one_label_only_because_the_labels_are_one_folder_down(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"photos/daisy": 10, "photos/rose": 10})

    with pytest.raises(SourceError, match="one label only") as error:
        opened(tmp_path)

    message = str(error.value)
    assert f"daisy, rose: if those are the labels, give {tmp_path / 'photos'}" in message


def test_pictures_without_label_folders(tmp_path: Path) -> None:
    touch_tree(tmp_path, {".": 20})

    with pytest.raises(SourceError) as error:
        opened(tmp_path)

    assert "holds 20 pictures but no label folders" in str(error.value)
    assert "or add a labels.csv" in str(error.value)


@pytest.mark.parametrize(("others", "seen"), [(0, "nothing"), (1, "1 other file"), (3, "3 other")])
def test_a_folder_without_pictures(tmp_path: Path, others: int, seen: str) -> None:
    (tmp_path / "cat").mkdir()
    for k in range(others):
        (tmp_path / f"cat/{k}.txt").touch()

    with pytest.raises(SourceError) as error:
        opened(tmp_path)

    assert f"holds no pictures: {seen}" in str(error.value)


def test_fewer_than_sixteen_pictures(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"cat": 8, "dog": 7})

    with pytest.raises(SourceError) as error:
        opened(tmp_path)

    assert "has 15 labelled pictures; at least 16 are needed" in str(error.value)

    (tmp_path / "dog/one_more.png").touch()
    assert len(opened(tmp_path).entries) == 16
