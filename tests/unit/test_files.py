"""File names and writes that every system takes."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentbloom.model.records import Record, Records
from latentbloom.runs.folder import default_run
from latentbloom.storage.files import condition_word, file_word


def test_words_of_conditions_make_plain_file_names() -> None:
    assert file_word("smiling: yes, glasses: no") == "smiling-yes-glasses-no"
    assert file_word("../x") == "..-x"
    assert file_word("") == "any"


@pytest.mark.parametrize(
    ("text", "word"),
    [("aux", "aux_"), ("CON", "CON_"), ("nul.png", "nul_.png"), ("LPT9.tar.gz", "LPT9_.tar.gz")],
)
def test_what_windows_takes_for_a_device_is_no_file_name(text: str, word: str) -> None:
    assert file_word(text) == word
    assert file_word("auxiliary") == "auxiliary"


@pytest.mark.parametrize("text", ["red.", "red. ", "red..."])
def test_a_file_name_ends_in_no_dot_and_no_space(text: str) -> None:
    assert file_word(text) == "red"


def test_a_long_name_fits_every_file_system_and_stays_its_own() -> None:
    long = [", ".join(f"attribute {k}: {w}" for k in range(60)) for w in ("yes", "nö")]
    words = [file_word(text) for text in long]
    assert all(len(word.encode()) <= 120 for word in words)
    assert len(set(words)) == 2


def record(cond: dict[str, str], seed: int = 0, index: int = 3) -> Record:
    return Record(np.zeros((2, 2, 3), np.uint8), cond, seed, index, torch.zeros(1, 1, 1))


def test_plain_conditions_are_their_own_names() -> None:
    assert condition_word(["smiling", "yes", "wearing_hat", "no"]) == "smiling-yes-wearing_hat-no"
    assert condition_word(["species", "blackberry lily"]) == "species-blackberry+lily"
    assert condition_word([]) == "any"
    assert record({"smiling": "yes", "glasses": "any"}).name == "smiling-yes_seed0_0003"


ALIKE = [
    *({"label": value} for value in ("rose", "Rose", "ROSE", "rose!", "rose?", "rose.", " rose")),
    *(
        {"label": value}
        for value in ("a b", "a-b", "a_b", "a+b", "a, b", "a  b", "", "-", "?", "né")
    ),
    *({"label": value} for value in ("ne\u0301", "con", "con_", "any-", "strasse", "straße")),
    *({"a": "b-c-d"}, {"a": "b", "c": "d"}, {"a-b": "c-d"}, {"a": "b, c: d"}, {"a b": "c"}),
    *({f"f{k}": "yes" for k in range(40)} | {"f39": word} for word in ("yes", "no", "No")),
]


def test_conditions_that_differ_in_case_or_punctuation_or_late_have_names_of_their_own() -> None:
    names = [record(cond).name for cond in ALIKE]
    assert len({unicodedata.normalize("NFD", name).casefold() for name in names}) == len(ALIKE)
    assert [record(cond).name for cond in ALIKE] == names


@given(
    pair=st.tuples(*[st.lists(st.text(max_size=30), max_size=4)] * 2).filter(lambda p: p[0] != p[1])
)
def test_no_two_conditions_share_a_name(pair: tuple[list[str], list[str]]) -> None:
    first, second = (condition_word(pieces) for pieces in pair)
    assert first.casefold() != second.casefold()
    assert all(
        len(word.encode()) <= 80 and not set(word) & set('/\\:*?"<>|') for word in (first, second)
    )


@pytest.mark.parametrize("seed", [0, -5, 2**31, 10**80, -(10**80)])
@pytest.mark.parametrize("factors", [0, 1, 14, 40])
def test_the_file_of_a_sample_has_a_short_name_whatever_was_asked(factors: int, seed: int) -> None:
    cond = {f"attribute_number_{k}": "ja/né" for k in range(factors)}
    name = f"{record(cond, seed, 2**32 - 1).name}.png"
    assert len(name.encode()) <= 120
    assert name.endswith("_4294967295.png")
    assert (f"_seed{seed}_" in name) == (len(str(seed)) <= 20)


def test_records_json_holds_what_a_short_name_leaves_out(tmp_path: Path) -> None:
    cond = {f"attribute_number_{k}": "yes" for k in range(40)}
    (path,) = Records([record(cond)], {"seed": 0}).save(tmp_path, grid=False)
    described = json.loads((tmp_path / "records.json").read_text(encoding="utf-8"))["pictures"]
    assert described == [{"file": path.name, "cond": cond, "seed": 0, "index": 3}]


def test_a_run_is_named_after_its_source_where_windows_takes_the_name() -> None:
    assert default_run("pictures/con").name == "con_"
    assert default_run("pictures/red roses.").name == "red-roses"
