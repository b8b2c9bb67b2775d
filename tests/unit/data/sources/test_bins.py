"""Columns of numbers, and columns that nobody asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from latentbloom.config import SourceOptions
from latentbloom.data.sources.base import Source
from latentbloom.data.sources.labels.bins import bin_names, find_edges, parse_bins, write_bins
from latentbloom.data.sources.open import open_source
from latentbloom.data.sources.tables.table_source import bins_of
from latentbloom.errors import SourceError
from picture_files import touch_tree


def opened(folder: Path, **options: object) -> Source:
    return open_source(SourceOptions.model_validate({"source": str(folder), **options}))


def table(folder: Path, header: str, rows: list[str]) -> Path:
    touch_tree(folder, {".": len(rows)})
    lines = [f"{k}.png,{row}" for k, row in enumerate(rows)]
    (folder / "labels.csv").write_text("\n".join([header, *lines]), encoding="utf-8")
    return folder


def ages(folder: Path, count: int = 80) -> Path:
    rows = [f"{('disc', 'square')[k % 2]},{20 + k % 53}" for k in range(count)]
    return table(folder, "file,kind,age", rows)


def test_a_column_of_many_numbers_is_left_alone_and_said(tmp_path: Path) -> None:
    source = opened(ages(tmp_path))

    assert source.spec.names == ("kind",)
    assert (
        "Column 'age' has 53 different numbers in 80 rows and is left alone; --bins age=4 makes a "
        "factor of it." in source.notes
    )


def test_numbers_that_many_pictures_share_can_be_asked_for_one_by_one(tmp_path: Path) -> None:
    folder = ages(tmp_path, 530)
    (said,) = [note for note in opened(folder).notes if note.startswith("Column")]

    assert said.endswith(
        "--bins age=4 makes a factor of it, --factors age makes each number a value."
    )
    assert len(opened(folder, factors="age").spec.factor("age").values) == 53


def test_names_of_factors_say_what_is_used(tmp_path: Path) -> None:
    rows = [f"{('a', 'b')[k % 2]},{k},a caption {k},{k * 0.37},'x' {k}" for k in range(60)]
    folder = table(tmp_path, "file,kind,id,caption,score,more", rows)

    assert opened(folder, factors="kind").spec.names == ("kind",)
    assert opened(folder, factors="kind").notes[-1].startswith("labels.csv names no pictures")
    assert opened(folder).spec.names == ("kind",)
    with pytest.raises(SourceError, match=r"column 'id' has 60 .*Use --bins id=4"):
        opened(folder, factors="id")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("file,kind", "{k}.png,{kind},"),  # a trailing comma
        ("file,kind,", "{k}.png,{kind},"),
        ("file,kind,,", "{k}.png,{kind}"),
        (",file,kind", "{k},{k}.png,{kind}"),  # the row numbers of a data frame
    ],
)
def test_columns_without_a_use_stop_nothing(tmp_path: Path, header: str, row: str) -> None:
    touch_tree(tmp_path, {".": 20})
    lines = [row.format(k=k, kind="ab"[k % 2]) for k in range(20)]
    (tmp_path / "labels.csv").write_text("\n".join([header, *lines]))
    source = opened(tmp_path)

    assert source.spec.names == ("kind",)
    assert len(source.entries) == 20


def test_bins_hold_about_as_many_pictures_each(tmp_path: Path) -> None:
    source = opened(ages(tmp_path), bins="age=4", factors="age")
    factor = source.spec.factor("age")

    assert factor.values == ("under 30", "30-39", "40-52", "53 and over")
    counts = Counter(entry.labels[0] for entry in source.entries)
    assert [counts[k] for k in range(4)] == [20, 20, 20, 20]
    assert source.spec.parse("age=30-39") == {"age": "30-39"}
    numbers = {f"{k}.png": 20 + k % 53 for k in range(80)}
    for entry in source.entries:
        limits = [(0, 30), (30, 40), (40, 53), (53, 99)][entry.labels[0]]
        assert limits[0] <= numbers[entry.name] < limits[1]


def test_missing_numbers_are_not_known(tmp_path: Path) -> None:
    rows = [f"{k if k % 4 else ('nan', '', '?')[k % 3]}" for k in range(60)]
    source = opened(table(tmp_path, "file,age", rows), bins="age=3")

    null = source.spec.factors[0].null_index
    assert sum(entry.labels[0] == null for entry in source.entries) == 15


def test_the_edges_that_were_found_give_the_same_bins_again(tmp_path: Path) -> None:
    folder = ages(tmp_path / "one")
    source = opened(folder, bins="age=4", hold_out="kind=disc,age=under 30")
    edges = bins_of(source)

    assert edges == "age=30/40/53"
    other = opened(ages(tmp_path / "other", 90), bins=edges)
    assert other.spec == source.spec


@pytest.mark.parametrize(
    ("edges", "names"),
    [
        ((30.0,), ("under 30", "30 and over")),
        ((0.5, 1.25), ("under 0.5", "0.5-1.25", "1.25 and over")),
        ((-3.0, 0.0, 1.0), ("under -3", "-3 to -1", "0", "1 and over")),
    ],
)
def test_bins_have_names_that_depend_on_the_edges_alone(
    edges: tuple[float, ...], names: tuple[str, ...]
) -> None:
    assert bin_names(edges) == names
    assert parse_bins(write_bins({"x": edges})) == {"x": edges}


def test_edges() -> None:
    assert find_edges([1.23456 * k for k in range(100)], 4) == (30.9, 61.7, 92.6)
    assert find_edges([20.0] * 50 + [21.0] * 3, 4) == (21.0,)
    assert find_edges([7.0] * 9, 4) == ()
    assert find_edges([1.0001, 1.0002, 1.0003, 1.0004], 4) == (1.0002, 1.0003, 1.0004)


@pytest.mark.parametrize(
    ("bins", "said"),
    [
        ("age", "'age' cannot be read. Write NAME=COUNT, as in --bins age=4"),
        ("age=few", "'age=few' cannot be read"),
        ("age=1", "'age=1' is not from 2 to 100 bins"),
        ("age=40/30", "the edges of 'age' do not ascend"),
        ("agee=4", "has no column 'agee' for --bins. Did you mean age?"),
        ("kind=4", "--bins kind needs numbers, and the column holds disc, square"),
    ],
)
def test_bins_that_cannot_be(tmp_path: Path, bins: str, said: str) -> None:
    with pytest.raises(SourceError) as error:
        opened(ages(tmp_path), bins=bins)

    assert said in str(error.value)


def test_bins_without_a_table(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"a": 10, "b": 10})

    with pytest.raises(SourceError, match="--bins needs a table"):
        opened(tmp_path, bins="age=4")
    with pytest.raises(SourceError, match=r"takes no --bins \('age=4'\)"):
        opened(Path("synthetic-faces"), bins="age=4")


def test_one_column_of_numbers_that_many_pictures_share_is_the_label(tmp_path: Path) -> None:
    source = opened(table(tmp_path, "file,species", [str(k % 30) for k in range(120)]))

    assert len(source.spec.factor("species").values) == 30


def test_a_column_of_splits_by_another_name(tmp_path: Path) -> None:
    rows = [f"{'ab'[k % 2]},{('Training', 'Testing')[k % 5 == 0]}" for k in range(40)]
    source = opened(table(tmp_path, "file,kind,Set", rows))

    assert source.spec.names == ("kind",)
    assert sum(entry.split == "val" for entry in source.entries) == 8
    assert "Column 'Set' says which pictures are held out." in source.notes
