"""CelebA's lists as spreadsheets and data frames save them, and CelebA-HQ."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from picture_files import noise, save
from published_files import LINE, attribute_lines, celeba, message_of, open_published, splits

opened = partial(open_published, "celeba")
Cells = list[list[str]]


def saved_again(
    folder: Path, change: Callable[[Cells], Cells], delimiter: str, *, head: str = ""
) -> None:
    """Write list_attr_celeba.csv of 40 pictures with other cells and another delimiter."""
    celeba(folder, 40)
    (folder / "list_attr_celeba.txt").unlink()
    rows = change([["image_id", *LINE.split()], *(r.split() for r in attribute_lines(40)[2:])])
    text = head + "\n".join(delimiter.join(row) for row in rows)
    (folder / "list_attr_celeba.csv").write_text(text + "\n", encoding="utf-8-sig")


def same(rows: Cells) -> Cells:
    return rows


def numbered(rows: Cells) -> Cells:
    return [["", *rows[0]], *([str(k), *row] for k, row in enumerate(rows[1:]))]


def with_words(no: str, yes: str) -> Callable[[Cells], Cells]:
    words = {"-1": no, "1": yes}
    return lambda rows: [rows[0], *([r[0], *(words[c] for c in r[1:])] for r in rows[1:])]


@pytest.mark.parametrize(
    ("change", "delimiter", "head"),
    [
        (same, ";", ""),
        (same, ";", "sep=;\n"),
        (same, "\t", ""),
        (same, ";", "40;;;\n"),
        (numbered, ",", ""),
        (numbered, ";", ""),
        (with_words("0.0", "1.0"), ",", ""),
        (with_words("-1.0", "1.0"), ";", ""),
        (with_words("False", "True"), ",", ""),
        (with_words("no", "yes"), ",", ""),
    ],
)
def test_a_list_that_was_saved_again(
    tmp_path: Path, change: Callable[[Cells], Cells], delimiter: str, head: str
) -> None:
    celeba(tmp_path / "usual", 40)
    saved_again(tmp_path / "again", change, delimiter, head=head)

    usual = opened(tmp_path / "usual", factors="smiling,male")
    again = opened(tmp_path / "again", factors="smiling,male")

    assert again.entries
    assert [(e.name, e.labels, e.split) for e in again.entries] == [
        (e.name, e.labels, e.split) for e in usual.entries
    ]
    assert again.set_aside == ()


def test_what_its_words_were_read_as_is_said(tmp_path: Path) -> None:
    saved_again(tmp_path / "celeba", with_words("False", "True"), ",")

    assert "list_attr_celeba.csv: False as no and True as yes." in opened(tmp_path).notes


def test_an_empty_cell_is_not_known(tmp_path: Path) -> None:
    def emptied(rows: Cells) -> Cells:
        rows[3][1 + LINE.split().index("Smiling")] = ""
        return rows

    saved_again(tmp_path / "celeba", emptied, ",")
    source = opened(tmp_path)

    assert {e.name: e.labels for e in source.entries}["000003.jpg"] == (2,)
    assert "list_attr_celeba.csv: an empty cell as not known." in source.notes


def test_a_list_of_some_attributes(tmp_path: Path) -> None:
    places = [0, *(1 + LINE.split().index(name) for name in ("Male", "Young"))]
    saved_again(tmp_path / "celeba", lambda rows: [[r[p] for p in places] for r in rows], ";")

    assert opened(tmp_path, factors="young").spec.names == ("young",)
    assert "has no column smiling: line 1 should name 40 attributes and names 2." in message_of(
        "celeba", tmp_path
    )


def test_a_partition_that_was_saved_again(tmp_path: Path) -> None:
    folder = celeba(tmp_path / "celeba", 40)
    usual = opened(tmp_path)
    old = folder / "list_eval_partition.txt"
    rows = [line.split() for line in old.read_text().splitlines()]
    old.unlink()
    lines = [f"{k};{name};{split}.0" for k, (name, split) in enumerate(rows)]
    text = "\n".join([";image_id;partition", *lines])
    (folder / "list_eval_partition.csv").write_text(text, encoding="utf-8")

    assert opened(tmp_path).entries == usual.entries


def high_quality(folder: Path, count: int = 40) -> Path:
    """As CelebAMask-HQ is unpacked."""
    for number in range(count):
        save(folder / "CelebA-HQ-img" / f"{number}.jpg", noise(number, height=64, width=64))
    rows = [line.split() for line in attribute_lines(count)[2:]]
    lines = [f"{k}.jpg {' '.join(row[1:])}" for k, row in enumerate(rows)]
    text = "\n".join([str(count), LINE + " ", *lines])
    (folder / "CelebAMask-HQ-attribute-anno.txt").write_text(text + "\n")
    return folder


@pytest.mark.parametrize("home", ["celeba", "celeba/CelebAMask-HQ", "CelebAMask-HQ", ""])
def test_celeba_hq_is_read_whole(tmp_path: Path, home: str) -> None:
    high_quality(tmp_path / home)
    source = opened(tmp_path)

    assert splits(source) == {"train": 36, "val": 4}
    assert source.entries[0].name == "0.jpg"
    assert source.read(source.entries[0]).shape == (64, 64, 3)
    assert source.treatment == ""
    assert any("CelebA-HQ" in note and "used whole" in note for note in source.notes)


def test_the_splits_of_celeba_hq_are_those_of_its_originals(tmp_path: Path) -> None:
    folder = high_quality(tmp_path / "celeba" / "CelebAMask-HQ")
    rows = ["idx  orig_idx  orig_file", *(f"{k}  {90 + k}  {91 + k:06d}.jpg" for k in range(40))]
    (folder / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(rows))
    partition = [f"{91 + k:06d}.jpg {0 if k < 30 else 1}" for k in range(40)]
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text("\n".join(partition))

    source = opened(tmp_path)

    assert {e.name for e in source.entries if e.split == "val"} == {
        f"{k}.jpg" for k in range(30, 40)
    }


def test_aligned_pictures_go_before_those_of_celeba_hq(tmp_path: Path) -> None:
    celeba(tmp_path / "celeba", 40)
    high_quality(tmp_path / "celeba" / "CelebAMask-HQ")

    assert opened(tmp_path).entries[0].name == "000001.jpg"
