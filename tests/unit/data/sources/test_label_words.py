"""What words of labels mean, in folders and in tables."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from latentbloom.config import SourceOptions
from latentbloom.data.sources.base import ReadAs, Source
from latentbloom.data.sources.labels.values import is_missing, read_values, say_readings
from latentbloom.data.sources.open import open_source
from picture_files import touch_tree


def words(source: Source, place: int = 0) -> Counter[str]:
    """How many pictures have each value."""
    factor = source.spec.factors[place]
    return Counter(factor.word(entry.labels[place]) for entry in source.entries)


def opened(folder: Path, **options: object) -> Source:
    return open_source(SourceOptions.model_validate({"source": str(folder), **options}))


def table(folder: Path, cells: list[str], name: str = "kind") -> Path:
    """A picture for each cell, ten times over."""
    rows = [f"{k}.png,{cell}" for k, cell in enumerate(cells * 10)]
    touch_tree(folder, {".": len(rows)})
    (folder / "labels.csv").write_text("\n".join([f"file,{name}", *rows]), encoding="utf-8")
    return folder


MISSING = ("nan", "NA", "N/A", "n/a", "None", "null", "NULL", "?", "-", "NaN", "<NA>", "#N/A", "")


@pytest.mark.parametrize("word", MISSING)
def test_words_for_not_known(tmp_path: Path, word: str) -> None:
    source = opened(table(tmp_path, ["red", "blue", word]))

    assert source.spec.factors[0].values == ("blue", "red")
    assert words(source) == {"red": 10, "blue": 10, "any": 10}
    said = () if not word else (ReadAs("kind", "any", ((word, 10),)),)
    assert source.readings == said


@pytest.mark.parametrize(
    ("no", "yes"),
    [
        *(("N", "Y"), ("n", "y"), ("F", "T"), ("False", "TRUE"), ("No", "YES")),
        *(("0", "1"), ("0.0", "1.0"), ("-1", "1"), ("-1.0", "1.0"), ("0", "+1"), ("0", "yes")),
    ],
)
def test_words_for_no_and_yes(tmp_path: Path, no: str, yes: str) -> None:
    source = opened(table(tmp_path, [no, yes, "nan"], "Smiling"))

    assert source.spec.to_json() == [{"name": "smiling", "values": ["no", "yes"]}]
    assert [source.entries[k].labels[0] for k in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    "cells",
    [["m", "f"], ["n", "f"], ["t", "y"], ["-1", "0", "1"], ["no", "maybe"], ["0", "1", "2"]],
)
def test_words_that_are_no_pair_stay_values(tmp_path: Path, cells: list[str]) -> None:
    source = opened(table(tmp_path, cells))

    assert set(source.spec.factors[0].values) == set(cells)
    assert source.readings == ()


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["red", "red", "RED", "Red", " red", "blue", "Blue"], ("blue", "red")),
        (["1", "1.0", "2", "2.00", "3"], ("1", "2", "3")),
        (["Dark  Red", "dark red", "dark red", "light"], ("dark red", "light")),
        (["café", unicodedata.normalize("NFD", "café"), "bar"], ("bar", "café")),
        (["Straße", "STRASSE", "Straße", "Weg"], ("Straße", "Weg")),
    ],
)
def test_spellings_of_one_value(tmp_path: Path, cells: list[str], values: tuple[str, ...]) -> None:
    source = opened(table(tmp_path, cells))

    assert source.spec.factors[0].values == values
    assert sum(words(source).values()) == 10 * len(cells)
    assert "any" not in words(source)


def test_none_is_a_value_where_nothing_else_is_left_to_tell() -> None:
    assert read_values({"None": 5, "sunglasses": 5}) == {"None": "None", "sunglasses": "sunglasses"}
    assert read_values({"none": 5, "a": 5, "b": 5})["none"] == "any"
    assert read_values({"nan": 5, "a": 5})["nan"] == "any"


def test_words_as_they_are_written(tmp_path: Path) -> None:
    cells = ["Red", "red", "nan", "0", "1.0", "yes", "", "any"]
    source = opened(table(tmp_path, cells), values_as_written=True)

    assert source.spec.factors[0].values == ("0", "1.0", "nan", "Red", "red", "yes")
    assert words(source)["any"] == 20
    assert source.readings == ()


def test_folders_as_they_are_written(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"not_smiling": 10, "smiling": 10, "N": 10, "nan": 10, "Nan": 10})
    source = opened(tmp_path, values_as_written=True)

    assert source.spec.to_json() == [
        {"name": "label", "values": ["N", "Nan", "nan", "not_smiling", "smiling"]}
    ]


@pytest.mark.parametrize(("no", "yes"), [("-1", "1"), ("N", "Y"), ("0.0", "1.0"), ("f", "T")])
def test_folders_for_no_and_yes(tmp_path: Path, no: str, yes: str) -> None:
    touch_tree(tmp_path / "smiling", {no: 12, yes: 8, "None": 4, "NA": 2})
    source = opened(tmp_path / "smiling")

    assert source.spec.to_json() == [{"name": "smiling", "values": ["no", "yes"]}]
    assert words(source) == {"no": 12, "yes": 8, "any": 6}


def test_folders_for_not_known(tmp_path: Path) -> None:
    touch_tree(tmp_path, {"cat": 10, "dog": 10, "nan": 4, "?": 3, "any": 2})
    source = opened(tmp_path)

    assert source.spec.factors[0].values == ("cat", "dog")
    assert words(source) == {"cat": 10, "dog": 10, "any": 9}


@pytest.mark.parametrize(
    ("train", "val", "value"),
    [
        ("Cat", "cat", "Cat"),
        ("cat", "cat ", "cat"),
        ("marché", unicodedata.normalize("NFD", "marché"), "marché"),
        (unicodedata.normalize("NFD", "marché"), "marché", "marché"),
        ("1", "1.0", "1"),
        ("Big Cat", "big  cat", "Big Cat"),
    ],
)
def test_a_class_that_val_spells_otherwise(
    tmp_path: Path, train: str, val: str, value: str
) -> None:
    folders = {f"train/{train}": 10, "train/dog": 10, f"val/{val}": 4, "val/dog": 3}
    source = opened(touch_tree(tmp_path, folders))

    assert source.spec.factors[0].values == tuple(sorted([value, "dog"], key=str.casefold))
    held = [e for e in source.entries if e.split == "val"]
    assert len(held) == 7
    assert source.set_aside == ()
    assert source.spec.parse(f"label={val}") == {"label": value}
    assert source.spec.parse(f"label={train}") == {"label": value}
    (read,) = source.readings
    assert (read.factor, read.value) == ("label", value)


@pytest.mark.parametrize(("one", "other"), [("Red", "red"), ("NÉE", "née"), ("2", "2.0")])
def test_folders_beside_each_other_that_are_one_class(tmp_path: Path, one: str, other: str) -> None:
    source = opened(touch_tree(tmp_path, {one: 12, other: 8, "blue": 10}))

    assert len(source.spec.factors[0].values) == 2
    assert sorted(words(source).values()) == [10, 20]


def test_what_was_read_as_what_is_said_once_and_short() -> None:
    yes = [ReadAs(name, "yes", (("1", 5),)) for name in "abcdef"]
    no = [ReadAs(name, "no", (("0", 5),)) for name in "abcdef"]
    colour = ReadAs("g", "red", tuple((f"RED{k}", 1) for k in range(9)))
    unknown = ReadAs("h", "any", (("nan", 3), ("?", 2)))
    (said,) = say_readings([*no, *yes, colour, unknown])

    assert said == (
        "Labels read as other words: a, b, c and 3 more: 0 as no, 1 as yes; g: RED0, RED1, RED2 "
        "and 6 more as red; h: nan and ? as not known (5 pictures). --values-as-written keeps the "
        "words."
    )
    assert say_readings([]) == ()


def test_accents_apart_are_described() -> None:
    read = ReadAs("label", "née", ((unicodedata.normalize("NFD", "née"), 4),))

    assert "(accents apart) as née." in say_readings([read])[0]
    assert "--values-as-written" not in say_readings([read])[0]


@pytest.mark.parametrize("word", ["unknown", "nano", "north", "no", "n"])
def test_words_that_say_something(word: str) -> None:
    assert not is_missing(word)
