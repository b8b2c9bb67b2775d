"""Tables as people have them: other names, other paths, other programs."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from latentbloom.data.sources.base import Source
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from picture_files import touch_tree


def opened(folder: Path) -> Source:
    return open_source(str(folder))


def rows(count: int = 20, path: str = "imgs/{k}.png", delimiter: str = ",") -> list[str]:
    return [f"{path.format(k=k)}{delimiter}{('disc', 'square')[k % 2]}" for k in range(count)]


def written(folder: Path, name: str, header: str, lines: list[str]) -> Path:
    touch_tree(folder, {"imgs": 20})
    (folder / name).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return folder


def check(source: Source) -> None:
    assert source.spec.to_json() == [{"name": "kind", "values": ["disc", "square"]}]
    assert {e.name: e.labels for e in source.entries} == {
        f"imgs/{k}.png": (k % 2,) for k in range(20)
    }


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [
        *(("Labels.csv", ","), ("LABELS.CSV", ";"), ("labels.csv.txt", ","), ("label.csv", ",")),
        *(("labels.tsv", "\t"), ("Labels.tsv", "\t"), ("lables.csv", ",")),
    ],
)
def test_names_that_were_meant(tmp_path: Path, name: str, delimiter: str) -> None:
    header = f"file{delimiter}kind"
    source = opened(written(tmp_path, name, header, rows(delimiter=delimiter)))

    check(source)
    assert f"There is no labels.csv: {name} is read in its place." in source.notes
    check(open_source(tmp_path / name))


def test_two_names_that_were_meant(tmp_path: Path) -> None:
    written(tmp_path, "Labels.csv", "file,kind", rows())
    written(tmp_path, "labels.tsv", "file,kind", rows())

    with pytest.raises(SourceError, match=r"holds Labels.csv and labels.tsv, but no labels.csv"):
        opened(tmp_path)


def test_labels_csv_goes_before_all(tmp_path: Path) -> None:
    written(tmp_path, "metadata.csv", "file_name,other", rows())
    written(tmp_path, "labels.csv", "file,kind", rows())

    check(opened(tmp_path))


@pytest.mark.parametrize("name", ["train.csv", "annotations.json", "classes.txt"])
def test_other_files_are_named_where_there_are_no_labels(tmp_path: Path, name: str) -> None:
    written(tmp_path, name, "id,kind", rows())

    with pytest.raises(SourceError) as error:
        opened(tmp_path)

    assert f"It holds {name}: if the labels are in there, write them into labels.csv." in (
        str(error.value)
    )


def test_tables_one_folder_down_are_named(tmp_path: Path) -> None:
    place = tmp_path / "pictures"
    touch_tree(place, {"imgs": 20})
    (place / "metadata.csv").write_text("\n".join(["file_name,kind", *rows()]))

    with pytest.raises(SourceError) as error:
        opened(tmp_path)

    assert f"pictures/ holds metadata.csv: give {place} to use" in str(error.value)
    assert len(opened(place).entries) == 20


@pytest.mark.parametrize("above", ["", "data/"])
def test_metadata_of_hugging_face_in_each_split(tmp_path: Path, above: str) -> None:
    for split in ("train", "test"):
        touch_tree(tmp_path, {f"{above}{split}": 20})
        lines = rows(path="{k}.png")
        (tmp_path / f"{above}{split}/metadata.csv").write_text(
            "\n".join(["file_name,kind", *lines])
        )

    source = opened(tmp_path)

    assert {e.name: (e.labels, e.split) for e in source.entries} == {
        f"{above}{folder}/{k}.png": ((k % 2,), split)
        for folder, split in (("train", "train"), ("test", "val"))
        for k in range(20)
    }
    assert source.layout == (
        f"a Hugging Face image folder, because {above}test/metadata.csv and "
        f"{above}train/metadata.csv have a column file_name"
    )
    assert not source.set_aside


@pytest.mark.parametrize("column", ["file_name", "File_Name"])
def test_metadata_of_hugging_face(tmp_path: Path, column: str) -> None:
    written(tmp_path, "metadata.csv", f"{column},kind", rows())
    if column != "file_name":
        with pytest.raises(SourceError, match=r"metadata.csv"):
            opened(tmp_path)
        return
    source = opened(tmp_path)

    check(source)
    assert any(note.startswith("metadata.csv is read as Hugging Face") for note in source.notes)


def test_metadata_of_hugging_face_as_json_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"file_name": f"imgs/{k}.png", "kind": ("disc", "square")[k % 2], "n": k})
        for k in range(20)
    ]
    written(tmp_path, "metadata.jsonl", lines[0], lines[1:])

    check(opened(tmp_path))


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "sep=|"])
def test_a_first_line_that_names_the_separator(tmp_path: Path, first: str) -> None:
    mark = first.strip('"')[-1]
    lines = [f"file{mark}kind", *rows(delimiter=mark)]
    check(opened(written(tmp_path, "labels.csv", first, lines)))


def test_the_line_of_a_fault_is_counted_with_the_separator(tmp_path: Path) -> None:
    lines = ["file;kind", *rows(delimiter=";"), "x.png;disc;more"]

    with pytest.raises(SourceError, match="line 23: 3 cells, but the header has 2"):
        opened(written(tmp_path, "labels.csv", "sep=;", lines))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_encodings_of_spreadsheets(tmp_path: Path, encoding: str) -> None:
    written(tmp_path, "labels.csv", "", [])
    text = "\r\n".join(["file\tkind", *rows(delimiter="\t")])
    (tmp_path / "labels.csv").write_bytes(text.encode(encoding))

    check(opened(tmp_path))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("{folder}/imgs/{k}.png", "20 rows of labels.csv name an absolute path."),
        ("/elsewhere/data/imgs/{k}.png", "name a path of another place"),
        ("C:\\data\\imgs\\{k}.png", "name a path of another place"),
        ("../{name}/imgs/{k}.png", ""),
        ("./imgs//{k}.png", ""),
        ("{k}.png", "20 rows of labels.csv name a picture that lies in a sub-folder."),
        ("{k}", "20 rows of labels.csv name a picture without its ending."),
        ("Imgs/{k}.PNG", "20 rows of labels.csv name a picture in other capitals."),
    ],
)
def test_paths_that_are_written_otherwise(tmp_path: Path, path: str, said: str) -> None:
    path = path.replace("{folder}", str(tmp_path)).replace("{name}", tmp_path.name)
    source = opened(written(tmp_path, "labels.csv", "file,kind", rows(path=path)))

    check(source)
    assert any(said in note for note in source.notes)
    assert isinstance(source.entries[0].path, Path)
    assert source.entries[0].path.is_file()


def test_a_name_that_two_pictures_have_is_none_of_them(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"a": 20, "b": 20})
    lines = rows(path="{k}.png")
    (tmp_path / "labels.csv").write_text("\n".join(["file,kind", *lines]))

    with pytest.raises(SourceError, match="names no picture that can be used"):
        opened(tmp_path)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_file_names_in_another_form(tmp_path: Path, form: str) -> None:
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    spell: Callable[[str, str], str] = unicodedata.normalize  # type: ignore[assignment]
    for k in range(20):
        (tmp_path / spell(form, f"né{k}.png")).touch()
    lines = [f"{spell(other, f'né{k}.png')},{'ab'[k % 2]}" for k in range(20)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,kind", *lines]), encoding="utf-8")

    assert {e.name for e in opened(tmp_path).entries} == {
        spell(form, f"né{k}.png") for k in range(20)
    }


@pytest.mark.parametrize(("there", "count"), [(80, 60), (21, 1)])
def test_pictures_that_are_not_listed(tmp_path: Path, there: int, count: int) -> None:
    touch_tree(tmp_path, {"imgs": there})
    source = opened(written(tmp_path, "labels.csv", "file,kind", rows()))

    check(source)
    (said,) = [note for note in source.notes if note.startswith("Not in labels.csv")]
    assert f"{count} of {there} pictures" in said
    assert "(imgs/20.png" in said
    assert ("and 57 more" in said) is (count == 60)
    aside = [one for one in source.set_aside if one.reason == "labels.csv does not name it"]
    assert len(aside) == count
