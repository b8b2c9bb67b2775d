"""Files of labels that are broken, hostile or of other pictures: a clear error, or a named loss."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from latentbloom.data.audit.run import audit_source
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.open import open_source
from latentbloom.errors import SourceError
from layout_files import COUNT, LAYOUTS, coco_tree, data_set, pictures, write
from picture_files import tree


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))


def refused(source: Path | str) -> str:
    with pytest.raises(SourceError) as error:
        open_source(source)
    return str(error.value)


def notes(source: Source) -> str:
    return "\n".join(source.notes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "set"


def made(name: str, folder: Path) -> Path:
    LAYOUTS[name][0](folder)
    return folder


def test_labels_of_other_pictures_are_refused_with_examples(folder: Path) -> None:
    pictures(folder, prefix="photo")
    rows = [f"img_{k}.png,{k % 2}" for k in range(COUNT)]
    write(folder / "labels.csv", "\n".join(["file,kind", *rows]))
    message = refused(folder)

    assert "labels.csv names no picture that can be used" in message
    assert "Named, but not found: img_0.png, img_1.png, img_2.png (24 in all)." in message
    assert "There, but not named: photo0.png, photo1.png, photo2.png (24 in all)." in message


@pytest.mark.parametrize(("there", "fits"), [(12, False), (13, True)])
def test_labels_that_match_half_of_the_pictures(folder: Path, there: int, fits: bool) -> None:
    pictures(folder, 0, there)
    pictures(folder, 0, COUNT - there, prefix="other")
    pictures(folder, 50, 60)
    rows = [f"{k}.png,{k % 2}" for k in (*range(COUNT), *range(50, 50 + 8 * fits))]
    write(folder / "labels.csv", "\n".join(["file,kind", *rows]))
    if fits:
        assert len(open_source(folder).entries) == there + 8
        return
    message = refused(folder)
    assert "labels.csv names 24 pictures, and 12 of them cannot be used" in message
    assert "Named, but not found: 12.png, 13.png, 14.png (12 in all)." in message
    assert "There, but not named: 50.png, 51.png, 52.png (22 in all)." in message


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("stylegan", "dataset.json"),
        ("label studio csv", "project-1.csv"),
        ("cvat", "annotations.xml"),
        ("coco several", "labels.json"),
        ("hugging face jsonl", "metadata.jsonl"),
    ],
)
def test_each_file_of_labels_says_both_sides(name: str, file: str, folder: Path) -> None:
    made(name, folder)
    for path in list(folder.rglob("*.png")):
        path.rename(path.with_name(f"renamed-{path.stem}.jpg"))
    message = refused(folder)
    assert f"{file} names no picture that can be used" in message
    assert "Named, but not found: " in message
    assert "renamed-" in message.partition("There, but not named: ")[2]


def test_json_lines_with_a_broken_line(folder: Path) -> None:
    path = made("hugging face jsonl", folder) / "metadata.jsonl"
    lines = path.read_text().splitlines()
    lines[4] = lines[4][:-5]
    write(path, "\n".join(lines))
    assert "metadata.jsonl, line 5 is not JSON" in refused(folder)


def test_parquet_without_pictures(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    made("parquet", folder)
    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    pa.parquet.write_table(table, folder / "data/words.parquet")
    source = open_source(folder)
    assert len(source.entries) == COUNT
    assert "words.parquet holds no pictures. Its columns: text, label." in notes(source)

    for path in (folder / "data").glob("t*.parquet"):
        path.unlink()
    for where in (folder, folder / "data/words.parquet"):
        assert "words.parquet holds no pictures. Its columns: text, label." in refused(where)


def test_broken_parquet_and_rows_without_a_picture(folder: Path) -> None:
    made("parquet", folder)
    whole = (folder / "data/train-00000-of-00001.parquet").read_bytes()
    (folder / "data/train-00001-of-00001.parquet").write_bytes(whole[: len(whole) // 2])
    (folder / "data/train-00002-of-00001.parquet").write_bytes(b"")
    source = open_source(folder)
    assert len(source.entries) == COUNT
    assert "Lost, because they cannot be read: train-00001-of-00001.parquet: it is" in notes(source)
    assert "train-00001-of-00001.parquet cannot be read: it is broken or cut short" in refused(
        folder / "data/train-00001-of-00001.parquet"
    )

    rows = data_set().to_list()
    rows[3]["image"] = None
    rows[4]["image"] = {"bytes": None, "path": "/etc/passwd"}
    rows[5]["image"] = {"bytes": b"no picture", "path": None}
    import datasets

    features = data_set().features
    datasets.Dataset.from_list(rows, features=features).to_parquet(folder / "rows.parquet")
    audit = audit_source(open_source(folder / "rows.parquet"))
    reasons = {one.name: one.reason.rpartition("picture: ")[2] for one in audit.broken}
    assert reasons == {
        "train/3.png": "its row holds no picture.",
        "train/4.png": "its row holds no bytes, only the path /etc/passwd.",
        "train/5.png": "its content is not a known picture format.",
    }
    assert audit.train + audit.val == COUNT - 3


def test_a_saved_data_set_that_names_files_elsewhere(folder: Path) -> None:
    made("save_to_disk", folder)
    state = folder / "train/state.json"
    tree_ = json.loads(state.read_text())
    tree_["_data_files"] = [{"filename": "../../secret.arrow"}]
    write(state, tree_)
    assert "names '../../secret.arrow', which is no file directly in its folder" in refused(folder)
    write(state, {"_data_files": []})
    assert "state.json names no data files" in refused(folder)


def test_without_pyarrow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made("parquet", folder)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "PyArrow, which is not installed. Install it: pip install 'latentbloom[hub]'" in (
        refused(folder)
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"labels": [["a.png", 1]', "dataset.json is cut short or is no JSON"),
        ({"labels": "yes"}, "`labels` is no list"),
        ({"labels": [["a.png", 1], "b.png"]}, "entry 2 of `labels` is 'b.png'"),
        ({"labels": [["0.png", [1, 0]], ["1.png", [1]]]}, "lists of [1, 2] labels"),
        ({"labels": [["0.png", [1, 0]], ["1.png", 1]]}, "others have one number"),
        ("[" * 99 + "]" * 99, "levels deep"),
    ],
)
def test_broken_labels_of_stylegan(folder: Path, content: object, said: str) -> None:
    pictures(folder)
    write(folder / "dataset.json", content)
    assert said in refused(folder)


def test_stylegan_without_labels_is_a_labelled_folder(folder: Path) -> None:
    tree(folder, {"cat": 10, "dog": 10})
    write(folder / "dataset.json", {"labels": None})
    assert "labelled folders" in open_source(folder).layout


def test_broken_json_that_is_nobodys_labels_is_left_alone(folder: Path) -> None:
    tree(folder, {"cat": 10, "dog": 10})
    write(folder / "settings.json", "{")
    assert len(open_source(folder).entries) == 20


def test_annotators_who_disagree(folder: Path) -> None:
    path = made("label studio json-min", folder) / "project-1.json"
    rows = json.loads(path.read_text())
    rows += [{**rows[0], "annotation_id": 900}, {**rows[1], "choice": "cat", "annotation_id": 901}]
    write(path, rows)
    source = open_source(folder)
    assert len(source.entries) == COUNT - 1
    assert "Annotators disagree about 1 picture, which is not used (images/1.png)." in notes(source)


def test_the_full_json_of_label_studio(folder: Path) -> None:
    pictures(folder)
    write(folder / "project.json", [{"id": 1, "data": {"image": "0.png"}, "annotations": []}])
    assert "is Label Studio's full JSON. Export it as JSON-MIN or CSV." in refused(folder)


def test_entities_in_cvats_xml(folder: Path) -> None:
    path = made("cvat", folder) / "annotations.xml"
    text = path.read_text()
    laughs = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10 if k else "ha"}">' for k in range(9))
    write(path, text.replace("<annotations>", f"<!DOCTYPE a [{laughs}]><annotations>&l8;"))
    assert "declares a document type or entities" in refused(folder)
    write(
        path, text.replace("<annotations>", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations>')
    )
    assert "declares a document type or entities" in refused(folder)
    write(path, text[: len(text) // 2])
    assert "annotations.xml is cut short or is no XML" in refused(folder)


def test_cvat_with_boxes_only(folder: Path) -> None:
    path = made("cvat", folder) / "annotations.xml"
    text = path.read_text().replace("<tag label", "<box label").replace("</tag>", "</box>")
    write(path, text)
    assert "but no tags of pictures (<tag>); it has 24 shapes" in refused(folder)


def test_broken_coco(folder: Path) -> None:
    pictures(folder / "images")
    good = coco_tree(0, COUNT)
    for change, said in (
        ({"annotations": [{"image_id": 1, "category_id": 77}]}, "the unknown category 77"),
        ({"annotations": []}, "no annotation gives one a category"),
        ({"images": [{"id": 1}]}, "{'id': 1} has no `file_name`"),
        ({"images": "all"}, "`images` is no list of objects"),
        ({"annotations": [{"category_id": 1}]}, "has no `image_id`"),
    ):
        write(folder / "labels.json", {**good, **change})
        assert said in refused(folder)


def test_broken_texts_of_yolo(folder: Path) -> None:
    made("yolo texts", folder)
    write(folder / "labels/train/3.txt", "7 0.5 0.5 0.1 0.1")
    write(folder / "labels/train/4.txt", "cat")
    (folder / "labels/train/5.txt").unlink()
    source = open_source(folder)
    assert len(source.entries) == COUNT - 3
    said = notes(source)
    assert "2 text files cannot be read and are not used (labels/train/3.txt: line 1" in said
    assert "1 picture without a text file: not used." in said


def test_broken_classes_of_roboflow(folder: Path) -> None:
    path = made("classes of roboflow", folder) / "train/_classes.csv"
    write(path, path.read_text().replace("3.png, 0, 1", "3.png, 0, maybe"))
    assert "_classes.csv, line 5: a picture and then 0 or 1 for each of cat, dog" in refused(folder)
    write(path, "")
    assert "names no picture" in refused(folder) or "there is no factor" in refused(folder)


def test_several_files_of_labels(folder: Path) -> None:
    path = made("label studio json-min", folder) / "project-1.json"
    write(folder / "project-2.json", path.read_text())
    message = refused(folder)
    assert "several files of labels: project-1.json and project-2.json" in message
    assert len(open_source(path).entries) == COUNT


def test_dates_are_left_alone_unless_they_are_asked_for(folder: Path) -> None:
    from latentbloom.config import SourceOptions

    made("spreadsheet", folder)
    assert "Column 'seen_on' holds dates and is left alone unless" in notes(open_source(folder))
    asked = open_source(SourceOptions(source=str(folder), factors="seen_on"))
    assert len(asked.spec.factor("seen_on").values) == 8


def test_arrow_whose_offsets_lead_out_of_the_file(folder: Path) -> None:
    """PyArrow does not check them by itself: reading such a column would end the program."""
    data_set().save_to_disk(str(folder))
    path = folder / "data-00000-of-00001.arrow"
    content = bytearray(path.read_bytes())
    sizes = [len(cell["bytes"]) for cell in data_set().data.column("image").to_pylist()]
    at = content.index(sizes[0].to_bytes(4, "little") + sum(sizes[:2]).to_bytes(4, "little"))
    content[at + 4 : at + 8] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    assert "data-00000-of-00001.arrow cannot be read: it is broken or cut short" in refused(folder)
