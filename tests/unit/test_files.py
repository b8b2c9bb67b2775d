"""File names and writes that every system takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latentbloom.files import file_word, file_words
from latentbloom.model.records import Record
from latentbloom.runs.folder import default_run


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


def test_names_that_differ_in_capitals_or_signs_alone_stay_apart() -> None:
    words = file_words(["Rose", "rose", "rose!", "tulip"])
    assert list(words) == ["Rose", "rose", "rose!", "tulip"]
    assert words["Rose"] == "Rose"
    assert len({word.casefold() for word in words.values()}) == 4


def test_a_sample_of_forty_conditions_has_a_name_that_a_file_can_have() -> None:
    cond = {f"attribute {k}": "yes" for k in range(40)}
    name = Record(np.zeros((2, 2, 3), np.uint8), cond, 0, 3, torch.zeros(1, 1, 1)).name
    assert len(name.encode()) < 200
    assert name.endswith("_seed0_0003")


def test_a_run_is_named_after_its_source_where_windows_takes_the_name() -> None:
    assert default_run("pictures/con").name == "con_"
    assert default_run("pictures/red roses.").name == "red-roses"
