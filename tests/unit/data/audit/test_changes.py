"""Pictures that come, go or change while a run exists are noticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.audit.changes import check_pictures, record_pictures
from latentbloom.data.audit.findings import Audit
from latentbloom.data.audit.picture_list import Listed, PictureList
from latentbloom.data.audit.run import audit_source
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from picture_files import noise, save, tree


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return tree(tmp_path / "pets", {"cat": 20, "dog": 20})


@pytest.fixture
def audit(pets: Path, tmp_path: Path) -> Audit:
    """The audit of a run that has just begun, with its list of pictures beside it."""
    source = open_source(pets)
    audit = audit_source(source)
    record_pictures(source, audit, tmp_path / "pictures.json")
    return audit


def refusal(pets: Path, audit: Audit, path: Path) -> str:
    with pytest.raises(SourceError) as error:
        check_pictures(open_source(pets), audit, path)
    return str(error.value)


def test_nothing_changed(pets: Path, audit: Audit, tmp_path: Path) -> None:
    source = open_source(pets)

    assert check_pictures(source, audit, tmp_path / "pictures.json") is source


def test_the_list_survives_the_disk(pets: Path, audit: Audit, tmp_path: Path) -> None:
    listed = PictureList.of(open_source(pets), audit)

    assert PictureList.load(tmp_path / "pictures.json") == listed
    assert list(listed.pictures)[:2] == ["cat/0.png", "cat/1.png"]


def test_added_and_removed_ones_are_counted_and_named(
    pets: Path, audit: Audit, tmp_path: Path
) -> None:
    for k in range(5):
        save(pets / "cat" / f"new{k}.png", noise(5000 + k))
    (pets / "dog" / "3.png").unlink()

    said = refusal(pets, audit, tmp_path / "pictures.json")

    assert "5 pictures added (cat/new0.png, cat/new1.png, cat/new2.png and 2 more)" in said
    assert "1 picture removed (dog/3.png)" in said
    assert "--accept-changed-data" in said


def test_a_renamed_one(pets: Path, audit: Audit, tmp_path: Path) -> None:
    (pets / "dog" / "3.png").rename(pets / "dog" / "three.png")

    said = refusal(pets, audit, tmp_path / "pictures.json")

    assert "1 picture added (dog/three.png)" in said
    assert "1 picture removed (dog/3.png)" in said


def test_a_relabelled_one(tmp_path: Path) -> None:
    tree(tmp_path / "pets", {"all": 20})
    table = tmp_path / "pets" / "labels.csv"
    rows = [f"all/{k}.png,{'cat' if k % 2 else 'dog'}" for k in range(20)]
    table.write_text("file,kind\n" + "\n".join(rows))
    source = open_source(tmp_path / "pets")
    audit = audit_source(source)
    record_pictures(source, audit, tmp_path / "pictures.json")

    table.write_text("file,kind\n" + "\n".join(rows).replace("all/7.png,cat", "all/7.png,dog"))

    said = refusal(tmp_path / "pets", audit, tmp_path / "pictures.json")
    assert "1 picture relabelled (all/7.png)" in said


def test_one_that_changed_its_split(tmp_path: Path) -> None:
    pets = tree(tmp_path / "pets", {"train/cat": 10, "train/dog": 10, "val/cat": 3, "val/dog": 3})
    source = open_source(pets)
    audit = audit_source(source)
    list_file = tmp_path / "pictures.json"
    record_pictures(source, audit, list_file)
    before = PictureList.load(list_file)
    name = "train/cat/1.png"
    moved = dict(before.pictures) | {name: ("val", before.pictures[name][1])}
    factors = before.pictures.factors
    after = Listed.of(factors, ((n, split, words) for n, (split, words) in moved.items()))

    changes = before.changes_to(PictureList(before.treatment, after))

    assert str(changes) == "1 picture moved from train to val (train/cat/1.png)"


@pytest.mark.parametrize("more", [1, 10, 100])
def test_accepted_additions_never_hold_out_a_trained_picture(
    pets: Path, audit: Audit, tmp_path: Path, more: int
) -> None:
    before = {entry.name: entry.split for entry in open_source(pets).entries}
    for k in range(more):
        save(pets / "cat" / f"new{k}.png", noise(5000 + k))
    said: list[str] = []

    opened = open_source(pets)
    source = check_pictures(opened, audit, tmp_path / "pictures.json", accept=True, say=said.append)

    after = {entry.name: entry.split for entry in source.entries}
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + more
    assert len(said) == 1
    assert f"{more} picture" in said[0]
    assert (source.read(source.entries[-1]) == opened.read(opened.entries[-1])).all()


def test_a_new_label_is_refused_even_when_changes_are_accepted(
    pets: Path, audit: Audit, tmp_path: Path
) -> None:
    shutil.copytree(pets / "cat", pets / "horse")

    with pytest.raises(SourceError, match=r"label gained horse.*start a new run"):
        check_pictures(open_source(pets), audit, tmp_path / "pictures.json", accept=True)


def test_a_picture_that_was_broken_from_the_start_may_go(tmp_path: Path) -> None:
    pets = tree(tmp_path / "pets", {"cat": 20, "dog": 20})
    (pets / "cat" / "4.png").write_bytes(b"broken")
    source = open_source(pets)
    audit = audit_source(source)
    record_pictures(source, audit, tmp_path / "pictures.json")

    (pets / "cat" / "4.png").unlink()

    names = PictureList.of(open_source(pets), audit).pictures
    assert "cat/4.png" not in names
    changes = PictureList.load(tmp_path / "pictures.json").changes_to(
        PictureList.of(open_source(pets), audit)
    )
    assert not changes.added
    assert not changes.removed


def test_an_older_run_without_a_list_is_compared_by_its_numbers(
    pets: Path, audit: Audit, tmp_path: Path
) -> None:
    nowhere = tmp_path / "none.json"
    source = open_source(pets)
    assert check_pictures(source, audit, nowhere) is source

    save(pets / "cat" / "new.png", noise(5000))

    said = refusal(pets, audit, nowhere)
    assert "it had 36 pictures to train on and 4 held out, and now has 37 and 4" in said
    assert len(check_pictures(open_source(pets), audit, nowhere, accept=True).entries) == 41


def test_a_broken_list_says_so(pets: Path, audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "pictures.json").write_text("{")

    assert "is not a readable list of pictures" in refusal(pets, audit, tmp_path / "pictures.json")


def test_a_list_that_an_earlier_version_wrote_without_files_is_read(
    pets: Path, audit: Audit, tmp_path: Path
) -> None:
    path = tmp_path / "pictures.json"
    whole = path.read_text(encoding="utf-8")
    pictures = whole[: whole.index('], "files"')]
    path.write_text(f"{pictures}]}}\n", encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")).keys() == {
        "factors",
        "treatment",
        "pictures",
    }

    assert check_pictures(open_source(pets), audit, path)
    found = PictureList.load(path)
    assert len(found.pictures.entries) == 40
    assert not found.marks


def test_a_list_of_another_layout_is_read_as_a_whole(
    pets: Path, audit: Audit, tmp_path: Path
) -> None:
    path = tmp_path / "pictures.json"
    written = path.read_text()
    listed = PictureList.load(path)
    assert written.count("\n") == 2 * 40 + 3

    path.write_text(json.dumps(json.loads(written)))

    assert PictureList.load(path) == listed
    assert list(PictureList.load(path).marks.items()) == list(listed.marks.items())
    path.write_text(written[: len(written) // 2])
    assert "cut short" in refusal(pets, audit, path)


def test_pictures_in_another_order_with_other_words(
    pets: Path, audit: Audit, tmp_path: Path
) -> None:
    path = tmp_path / "pictures.json"
    before = PictureList.load(path)
    rows = [(n, split, words) for n, (split, words) in before.pictures.items()]

    def after(rows: list[Any], factors: ConditionSpec = before.pictures.factors) -> str:
        return str(before.changes_to(PictureList("", Listed.of(factors, rows))))

    assert after([rows[1], rows[0], *rows[2:]]) == "the order of the pictures is different"
    assert after(rows[1:]) == "1 picture removed (cat/0.png)"
    assert after([*rows[:5], ("new", "val", ("dog",)), *rows[5:]]) == "1 picture added (new)"
    horses = ConditionSpec((Factor("label", ("horse", "dog")),))
    renamed = [(n, s, ("horse" if w == ("cat",) else "dog",)) for n, s, w in rows]
    assert "20 pictures relabelled" in after(renamed, horses)
    assert "label lost cat and gained horse" in after(renamed, horses)
