"""Folders with a labels.csv."""

from __future__ import annotations

from pathlib import Path

import pytest

from latentbloom.config import SourceOptions
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError


def table(folder: Path, header: str, rows: list[str], *, missing: tuple[str, ...] = ()) -> Path:
    """A labels.csv, and an empty file for each picture that its first cells name."""
    for row in rows:
        file = row.replace(";", ",").replace("\t", ",").split(",")[0].strip()
        if file and file not in missing and not file.startswith(("/", "..")):
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def opened(folder: Path) -> Source:
    return open_source(str(folder))


def rows(count: int = 20) -> list[str]:
    return [f"{k}.png,{'yes' if k % 2 else 'no'},{('red', 'blue')[k % 2]}" for k in range(count)]


def refused(folder: Path) -> str:
    with pytest.raises(SourceError) as error:
        opened(folder)
    return str(error.value)


def test_columns_are_factors(tmp_path: Path) -> None:
    source = opened(table(tmp_path, "file,Smiling,hair colour", rows()))

    assert source.spec.to_json() == [
        {"name": "smiling", "values": ["no", "yes"]},
        {"name": "hair_colour", "values": ["blue", "red"]},
    ]
    by_name = {entry.name: entry for entry in source.entries}
    assert by_name["0.png"].labels == (0, 1)
    assert by_name["1.png"].labels == (1, 0)
    assert sum(entry.split == "val" for entry in source.entries) == 2


@pytest.mark.parametrize(("no", "yes"), [("0", "1"), ("False", "TRUE"), ("no", "Yes")])
def test_words_for_no_and_yes(tmp_path: Path, no: str, yes: str) -> None:
    lines = [f"{k}.png,{yes if k % 2 else no}" for k in range(20)]
    source = opened(table(tmp_path, "file,smiling", lines))

    assert source.spec.factors[0].values == ("no", "yes")
    assert {e.name: e.labels for e in source.entries}["1.png"] == (1,)


def test_empty_cells_and_any_are_unknown(tmp_path: Path) -> None:
    lines = [*rows(), "x.png,,red", "y.png,any,"]
    source = opened(table(tmp_path, "file,smiling,colour", lines))

    labels = {entry.name: entry.labels for entry in source.entries}
    assert labels["x.png"] == (source.spec.factors[0].null_index, 1)
    assert labels["y.png"] == (2, 2)
    assert source.spec.factors[0].values == ("no", "yes")


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_a_byte_order_mark(tmp_path: Path, delimiter: str) -> None:
    table(
        tmp_path,
        "\ufefffile,smiling,colour".replace(",", delimiter),
        [row.replace(",", delimiter) for row in rows()],
    )

    assert opened(tmp_path).spec.names == ("smiling", "colour")


def test_quoted_cells_backslashes_and_empty_lines(tmp_path: Path) -> None:
    lines = [*rows(), "", "sub/a.png,yes,red"]
    table(tmp_path, "file,smiling,colour", lines)
    text = (tmp_path / "labels.csv").read_text()
    (tmp_path / "labels.csv").write_text(
        text.replace("sub/a.png,yes,red", 'sub\\a.png,yes,"red"').replace("\n", "\r\n")
    )

    assert "sub/a.png" in {entry.name for entry in opened(tmp_path).entries}


def test_a_split_column(tmp_path: Path) -> None:
    lines = [f"{row},{'val' if k < 5 else 'train'}" for k, row in enumerate(rows())]
    source = opened(table(tmp_path, "file,smiling,colour,split", lines))

    val = {e.name for e in source.entries if e.split == "val"}
    assert val == {f"{k}.png" for k in range(5)}
    assert source.spec.names == ("smiling", "colour")


def test_a_split_column_with_test_only(tmp_path: Path) -> None:
    lines = [f"{row},{'test' if k < 5 else ''}" for k, row in enumerate(rows())]
    source = opened(table(tmp_path, "file,smiling,colour,Split", lines))

    assert sum(e.split == "val" for e in source.entries) == 5
    assert "labels.csv has no split val: test is used in its place." in source.notes


def test_a_third_split_is_set_aside(tmp_path: Path) -> None:
    words = ["val", "test", *["train"] * 18]
    lines = [f"{row},{word}" for row, word in zip(rows(), words, strict=True)]
    source = opened(table(tmp_path, "file,smiling,colour,split", lines))

    assert len(source.entries) == 19
    assert source.set_aside[0].name == "1.png"
    assert source.set_aside[0].reason == "its split is 'test'"


def test_an_unknown_split(tmp_path: Path) -> None:
    lines = [f"{row},later" for row in rows()]
    message = refused(table(tmp_path, "file,smiling,colour,split", lines))

    assert "line 2: split is 'later'. Known: train, val." in message


def test_a_table_without_the_file_column(tmp_path: Path) -> None:
    message = refused(table(tmp_path, "filename,smiling,colour", rows()))

    assert "starts with the columns filename, smiling, colour" in message
    assert "`file` is not among them. Rename 'filename' to 'file'." in message


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("file,a,A", "'a' occurs twice"),
        ("file,a,", "one has no name"),
        ("file,split,", "one has no name"),
        ("", "starts with the columns (nothing)"),
    ],
)
def test_a_header_that_makes_no_sense(tmp_path: Path, header: str, complaint: str) -> None:
    assert complaint in refused(table(tmp_path, header, rows()))


def test_a_table_without_a_factor(tmp_path: Path) -> None:
    lines = [f"{k}.png,train" for k in range(20)]

    assert "there is no factor among them" in refused(table(tmp_path, "file,split", lines))


def test_rows_of_the_wrong_length(tmp_path: Path) -> None:
    message = refused(table(tmp_path, "file,smiling,colour", [*rows(), "x.png,yes"]))

    assert "line 22: 2 cells, but the header has 3 (file, smiling, colour)" in message


def test_a_row_without_a_file(tmp_path: Path) -> None:
    message = refused(table(tmp_path, "file,smiling,colour", [*rows(), ",yes,red"]))

    assert "line 22: the cell under `file` is empty" in message


def test_rows_that_repeat_each_other_are_counted(tmp_path: Path) -> None:
    source = opened(table(tmp_path, "file,smiling,colour", [*rows(), "1.png,yes,blue"]))

    assert len(source.entries) == 20
    assert "1 row of labels.csv repeats another one." in source.notes


def test_rows_that_contradict_each_other(tmp_path: Path) -> None:
    message = refused(table(tmp_path, "file,smiling,colour", [*rows(), "1.png,no,blue"]))

    assert "lists 1.png twice with different cells, in lines 3 and 22" in message


def test_pictures_that_are_not_there_are_named_and_set_aside(tmp_path: Path) -> None:
    lines = [*rows(), "gone.png,yes,red", "../away.png,no,red", "/abs.png,no,red"]
    source = opened(table(tmp_path, "file,smiling,colour", lines, missing=("gone.png",)))

    assert len(source.entries) == 20
    assert {aside.name: aside.reason for aside in source.set_aside} == {
        "gone.png": "labels.csv names it in line 22, but there is no such file",
        "../away.png": "labels.csv must name paths below its own folder",
        "/abs.png": "labels.csv must name paths below its own folder",
    }


def test_no_picture_of_the_table_is_there(tmp_path: Path) -> None:
    missing = tuple(f"{k}.png" for k in range(20))
    message = refused(table(tmp_path, "file,smiling,colour", rows(), missing=missing))

    assert "names no picture that can be used. The first one, 0.png: labels.csv names it in" in (
        message
    )


def test_a_column_that_says_one_thing_is_not_used(tmp_path: Path) -> None:
    lines = [f"{row},same" for row in rows()]
    source = opened(table(tmp_path, "file,smiling,colour,kind", lines))

    assert source.spec.names == ("smiling", "colour")
    assert "Column 'kind' says 'same' or nothing for every picture and is not used." in source.notes


def test_one_label_only(tmp_path: Path) -> None:
    lines = [f"{k}.png,yes" for k in range(20)]

    assert "has one label only" in refused(table(tmp_path, "file,smiling", lines))


def test_a_column_of_names_is_left_alone_and_said(tmp_path: Path) -> None:
    lines = [f"{k}.png,{'yes' if k % 2 else 'no'},id{k}" for k in range(60)]
    folder = table(tmp_path, "file,smiling,id", lines)
    source = opened(folder)

    assert source.spec.names == ("smiling",)
    assert "Column 'id' has 60 different values in 60 rows and is left alone." in source.notes
    with pytest.raises(SourceError, match="column 'id' has 60 different values in 60 rows"):
        open_source(SourceOptions(source=str(folder), factors="id"))


def test_a_table_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("file,größe\n".encode("latin-1"))

    assert "is not UTF-8 text (byte 7)" in refused(tmp_path)


def test_fewer_than_sixteen_rows(tmp_path: Path) -> None:
    assert "has 15 labelled pictures" in refused(table(tmp_path, "file,smiling,colour", rows(15)))
