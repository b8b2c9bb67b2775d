"""Each layout, as a folder and packed: the same audit, the right labels, and why it was taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive_files import pack
from latentbloom.data.audit.run import audit_source
from latentbloom.data.audit.table import audit_table
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.open import open_source
from layout_files import COUNT, LAYOUTS, kind
from picture_files import noise


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))


def numbers(source: Source) -> dict[int, dict[str, str]]:
    """By number of the picture, which its pixels tell, the words of its labels."""
    known = {noise(k, height=16, width=16).tobytes(): k for k in range(COUNT)}
    factors = source.spec.factors
    return {
        known[source.read(entry).tobytes()]: {
            factor.name: factor.word(index)
            for factor, index in zip(factors, entry.labels, strict=True)
        }
        for entry in source.entries
    }


def expected(name: str, k: int) -> dict[str, str]:
    """The labels of picture k, from what the layout's writer says of it."""
    no_yes = ("no", "yes")
    other = {"label": kind(k)}
    if name in ("stylegan", "stylegan one-hot"):
        other = {"label": no_yes[k % 2]}
    elif name == "stylegan several":
        other = {"label_0": no_yes[k % 2], "label_1": str(k % 3)}
    elif name == "label studio several":
        other = {one: no_yes[one == kind(k)] for one in ("cat", "dog")}
        other["small"] = no_yes[k % 3 > 0]
    elif name == "coco several":
        other = {one: no_yes[one == kind(k)] for one in ("cat", "dog")}
        other["ball"] = no_yes[k % 3 == 0]
    elif name == "cvat":
        other = {"fluffy": no_yes[k % 3 > 0], "label": kind(k)}
    elif name == "spreadsheet":
        other = {"kind": kind(k), "smiling": no_yes[k % 3 > 0], "weight": f"{k // 8},5"}
    elif name.startswith("label studio"):
        other = {"choice": kind(k)}
    elif name.startswith("hugging face") or name in ("parquet", "save_to_disk"):
        other = {"kind": kind(k)}
    return other


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout(name: str, tmp_path: Path) -> None:
    make, why = LAYOUTS[name]
    folder = tmp_path / "set"
    make(folder)
    source = open_source(folder)

    assert why in source.layout
    assert numbers(source) == {k: expected(name, k) for k in range(COUNT)}
    split = {k for k, e in zip(numbers(source), source.entries, strict=True) if e.split == "val"}
    if any(word in name for word in ("splits", "names", "parquet", "save", "cvat", "yolo")) and (
        name != "hugging face parquet"
    ):
        assert split == set(range(18, COUNT))
    else:
        assert split if "robo" in name or name == "coco" else 0 < len(split) < 6

    unpacked = audit_source(source)
    assert not unpacked.broken
    packed = [audit_source(open_source(pack(folder, folder, "zip", above=a))) for a in ("", "set")]
    packed.append(audit_source(open_source(pack(folder, folder, "tgz"))))
    for audit, but in zip(packed, ((), (), ("notes",)), strict=True):
        apart = {"source", "seconds", *but}
        assert audit.model_dump(exclude=apart) == unpacked.model_dump(exclude=apart)


def test_the_audit_shows_the_layout(tmp_path: Path) -> None:
    from rich.console import Console

    LAYOUTS["stylegan"][0](tmp_path / "set")
    console = Console(width=120, record=True)
    console.print(audit_table(audit_source(open_source(tmp_path / "set"))))

    said = "StyleGAN's layout, because dataset.json has a list `labels`"
    assert f"read as         {said}" in console.export_text()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("stylegan", "dataset.json"),
        ("label studio csv", "project-1.csv"),
        ("label studio json-min", "project-1.json"),
        ("cvat", "annotations.xml"),
        ("coco several", "labels.json"),
        ("hugging face parquet", "metadata.parquet"),
        ("hugging face jsonl", "metadata.jsonl"),
    ],
)
def test_a_file_of_labels_may_be_given_itself(name: str, file: str, tmp_path: Path) -> None:
    LAYOUTS[name][0](tmp_path)
    assert open_source(tmp_path / file).entries == open_source(tmp_path).entries


def test_a_parquet_file_may_be_given_itself(tmp_path: Path) -> None:
    LAYOUTS["parquet"][0](tmp_path)
    source = open_source(tmp_path / "data/train-00000-of-00001.parquet")
    assert set(numbers(source)) == set(range(18))
