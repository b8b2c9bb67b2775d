"""A tiny real example of each layout of labelled pictures: 24 pictures, cats and dogs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from picture_files import noise, save

if TYPE_CHECKING:
    import datasets

COUNT = 24
KINDS = ("cat", "dog")


def kind(k: int) -> str:
    return KINDS[k % 2]


def pictures(folder: Path, first: int = 0, last: int = COUNT, prefix: str = "") -> list[str]:
    """Save pictures and return their names."""
    for k in range(first, last):
        save(folder / f"{prefix}{k}.png", noise(k, height=16, width=16))
    return [f"{prefix}{k}.png" for k in range(first, last)]


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def metadata(folder: Path, ending: str = "csv", split: str = "") -> None:
    """Hugging Face's metadata beside the pictures."""
    rows = [
        {"file_name": p.name, "kind": kind(int(p.stem)), "age": int(p.stem)}
        for p in sorted((folder / split).glob("*.png"))
    ]
    path = folder / split / f"metadata.{ending}"
    if ending == "jsonl":
        write(path, "\n".join(json.dumps(row) for row in rows))
    elif ending == "parquet":
        import pyarrow as pa
        import pyarrow.parquet

        pa.parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        write(
            path, "\n".join(["file_name,kind,age", *(",".join(map(str, r.values())) for r in rows)])
        )


def hugging_face_csv(folder: Path) -> None:
    pictures(folder)
    metadata(folder)


def hugging_face_jsonl(folder: Path) -> None:
    pictures(folder)
    metadata(folder, "jsonl")


def hugging_face_parquet(folder: Path) -> None:
    pictures(folder)
    metadata(folder, "parquet")


def hugging_face_splits(folder: Path) -> None:
    for split, first, last in (("train", 0, 18), ("test", 18, COUNT)):
        pictures(folder / split, first, last)
        metadata(folder, "csv", split)


def hugging_face_split_names(folder: Path) -> None:
    """One file of metadata, whose names begin with the split."""
    pictures(folder / "train", 0, 18)
    pictures(folder / "test", 18)
    lines = [f"{'train' if k < 18 else 'test'}/{k}.png,{kind(k)}" for k in range(COUNT)]
    write(folder / "metadata.csv", "\n".join(["file_name,kind", *lines]))


def data_set(first: int = 0, last: int = COUNT) -> datasets.Dataset:
    """A data set of Hugging Face, with the bytes of pictures."""
    import io

    import datasets
    from PIL import Image

    rows: dict[str, list[object]] = {"image": [], "kind": [], "number": []}
    for k in range(first, last):
        content = io.BytesIO()
        Image.fromarray(noise(k, height=16, width=16)).save(content, "PNG")
        rows["image"].append({"bytes": content.getvalue(), "path": f"{k}.png"})
        rows["kind"].append(k % 2)
        rows["number"].append(k)
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "kind": datasets.ClassLabel(names=list(KINDS)),
            "number": datasets.Value("int64"),
        }
    )
    return datasets.Dataset.from_dict(rows, features=features)


def parquet_files(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    data_set(0, 18).to_parquet(folder / "data/train-00000-of-00001.parquet")
    data_set(18).to_parquet(folder / "data/test-00000-of-00001.parquet")


def saved_data_set(folder: Path) -> None:
    import datasets

    parts = datasets.DatasetDict({"train": data_set(0, 18), "test": data_set(18)})
    parts.save_to_disk(str(folder))


def stylegan(folder: Path) -> None:
    pictures(folder / "00000", prefix="img")
    labels = [[f"00000/img{k}.png", k % 2] for k in range(COUNT)]
    write(folder / "dataset.json", {"labels": labels})


def stylegan_one_hot(folder: Path) -> None:
    pictures(folder / "00000", prefix="img")
    labels = [[f"00000/img{k}.png", [1 - k % 2, k % 2]] for k in range(COUNT)]
    write(folder / "dataset.json", {"labels": labels})


def stylegan_several(folder: Path) -> None:
    pictures(folder / "00000", prefix="img")
    labels = [[f"00000/img{k}.png", [k % 2, k % 3, 1.0]] for k in range(COUNT)]
    write(folder / "dataset.json", {"labels": labels})


def label_studio_csv(folder: Path) -> None:
    pictures(folder / "images")
    lines = [
        f"{100 + k},1,{kind(k)},2026-01-0{1 + k % 9}T00:00:00Z,{k},"
        f"/data/upload/1/0a1b2c3d-{k}.png,{k}.5"
        for k in range(COUNT)
    ]
    header = "annotation_id,annotator,choice,created_at,id,image,lead_time"
    write(folder / "project-1.csv", "\n".join([header, *lines]))


def label_studio_json_min(folder: Path) -> None:
    pictures(folder / "images")
    rows = [
        {
            "image": f"/data/local-files/?d=images/{k}.png",
            "id": k,
            "choice": kind(k),
            "annotator": 1,
            "annotation_id": 100 + k,
            "created_at": f"2026-01-0{1 + k % 9}T00:00:00Z",
            "lead_time": 1.5 * k,
        }
        for k in range(COUNT)
    ]
    write(folder / "project-1.json", rows)


def label_studio_several(folder: Path) -> None:
    pictures(folder / "images")
    rows = [
        {
            "image": f"http://localhost:8080/data/upload/1/0a1b2c3d-{k}.png",
            "annotation_id": k,
            "choice": {"choices": [kind(k), *(["small"] if k % 3 else [])]},
        }
        for k in range(COUNT)
    ]
    write(folder / "project-1.json", rows)


def cvat(folder: Path) -> None:
    pictures(folder / "images/train", 0, 18)
    pictures(folder / "images/val", 18)
    rows = [
        f'<image id="{k}" name="{k}.png" subset="{"train" if k < 18 else "val"}" width="16" '
        f'height="16"><tag label="{kind(k)}" source="manual"><attribute name="fluffy">'
        f"{'true' if k % 3 else 'false'}</attribute></tag></image>"
        for k in range(COUNT)
    ]
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
    write(folder / "annotations.xml", f"{head}{''.join(rows)}</annotations>")


def coco_tree(first: int, last: int, *, several: bool = False) -> dict[str, object]:
    annotations = [{"id": k, "image_id": k, "category_id": 1 + k % 2} for k in range(first, last)]
    if several:
        annotations += [
            {"id": 99 + k, "image_id": k, "category_id": 3} for k in range(first, last, 3)
        ]
    return {
        "info": {},
        "images": [{"id": k, "file_name": f"{k}.png"} for k in range(first, last)],
        "annotations": annotations,
        "categories": [
            {"id": 0, "name": "pets", "supercategory": "none"},
            {"id": 1, "name": "cat", "supercategory": "pets"},
            {"id": 2, "name": "dog", "supercategory": "pets"},
            {"id": 3, "name": "ball", "supercategory": "toys"},
        ],
    }


def coco(folder: Path) -> None:
    for split, first, last in (("train", 0, 18), ("val", 18, COUNT)):
        pictures(folder / f"{split}2017", first, last)
        write(folder / f"annotations/instances_{split}2017.json", coco_tree(first, last))
    write(folder / "annotations/captions_train2017.json", {"images": [], "annotations": []})


def coco_several(folder: Path) -> None:
    pictures(folder / "images")
    write(folder / "labels.json", coco_tree(0, COUNT, several=True))


def coco_of_roboflow(folder: Path) -> None:
    for split, first, last in (("train", 0, 18), ("valid", 18, COUNT)):
        pictures(folder / split, first, last)
        write(folder / split / "_annotations.coco.json", coco_tree(first, last))


def classes_of_roboflow(folder: Path) -> None:
    for split, first, last in (("train", 0, 18), ("valid", 18, COUNT)):
        pictures(folder / split, first, last)
        lines = [f"{k}.png, {1 - k % 2}, {k % 2}" for k in range(first, last)]
        write(folder / split / "_classes.csv", "\n".join(["filename, cat, dog", *lines]))


def yolo_folders(folder: Path) -> None:
    """Ultralytics' layout of classification."""
    for k in range(COUNT):
        save(
            folder / ("train" if k < 18 else "test") / kind(k) / f"{k}.png",
            noise(k, height=16, width=16),
        )


def yolo_texts(folder: Path) -> None:
    for split, first, last in (("train", 0, 18), ("val", 18, COUNT)):
        pictures(folder / f"images/{split}", first, last)
        for k in range(first, last):
            write(folder / f"labels/{split}/{k}.txt", f"{k % 2} 0.5 0.5 0.2 0.2\n")
    write(folder / "data.yaml", "path: .\ntrain: images/train\nnames:\n  0: cat\n  1: dog\n")


def spreadsheet(folder: Path) -> None:
    """As a spreadsheet saves it: BOM, semicolons, an index, decimal commas and dates."""
    pictures(folder / "pictures")
    lines = [
        f"{k};pictures/{k}.png;{kind(k)};{1 if k % 3 else -1};{k // 8},5;2026-03-{1 + k // 3:02d};"
        for k in range(COUNT)
    ]
    header = ";file;kind;smiling;weight;seen_on;"
    write(folder / "labels.csv", "\ufeff" + "\r\n".join([header, *lines]) + "\r\n")


LAYOUTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "hugging face csv": (hugging_face_csv, "metadata.csv has a column file_name"),
    "hugging face jsonl": (hugging_face_jsonl, "metadata.jsonl has a column file_name"),
    "hugging face parquet": (hugging_face_parquet, "metadata.parquet has a column file_name"),
    "hugging face splits": (hugging_face_splits, "test/metadata.csv and train/metadata.csv have"),
    "hugging face split names": (hugging_face_split_names, "metadata.csv has a column file_name"),
    "parquet": (parquet_files, "2 Parquet files with pictures, because column 'image'"),
    "save_to_disk": (saved_data_set, "because there is dataset_dict.json"),
    "stylegan": (stylegan, "dataset.json has a list `labels`"),
    "stylegan one-hot": (stylegan_one_hot, "dataset.json has a list `labels`"),
    "stylegan several": (stylegan_several, "dataset.json has a list `labels`"),
    "label studio csv": (label_studio_csv, "project-1.csv has a column annotation_id"),
    "label studio json-min": (label_studio_json_min, "project-1.json has objects with"),
    "label studio several": (label_studio_several, "project-1.json has objects with"),
    "cvat": (cvat, "the root of annotations.xml is <annotations>"),
    "coco": (coco, "instances_train2017.json and annotations/instances_val2017.json have images"),
    "coco several": (coco_several, "labels.json has images, annotations and categories"),
    "coco of roboflow": (coco_of_roboflow, "train/_annotations.coco.json and valid/_anno"),
    "classes of roboflow": (classes_of_roboflow, "because there is train/_classes.csv"),
    "yolo folders": (yolo_folders, "train/ and test/, because there is no file of labels"),
    "yolo texts": (yolo_texts, "data.yaml names classes and 24 pictures have a text file"),
    "spreadsheet": (spreadsheet, "a table of labels, because there is labels.csv"),
}
"""By name what writes the layout, and a part of why the audit takes it for that."""
