"""The table of words in file names."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from latentbloom.runs.names import (
    FILE,
    figure_word_of,
    file_word_of,
    names_of_values,
    read_names,
    record_names,
)

RESERVED = ("con", "CON", "nul", "aux.txt", "lpt9", "com1")
ODD = ("rose", "Rose", "rose.", "rose ", "a/b", "a:b", "a|b", 'a"b', "a?", "a*", "<a>", "w" * 300)
VALUES = (*RESERVED, *ODD, "玫瑰", "né", "ne\u0301", "[/b]", "-", "--help", "yes", "no", "..")


def test_every_value_has_a_word_of_its_own_in_the_table(tmp_path: Path) -> None:
    table = names_of_values({"label": VALUES, "petal": ("Rose", "blue")})
    record_names(tmp_path, table)

    assert read_names(tmp_path) == table
    for name, values in {"label": VALUES, "petal": ("Rose", "blue")}.items():
        for value in values:
            assert table[file_word_of({name: value})] == {name: value}
            known = {"label": VALUES, "petal": ("Rose", "blue")}
            assert table[figure_word_of({name: value}, known)] == {name: value}
    folded = [unicodedata.normalize("NFD", word).casefold() for word in table]
    assert len(set(folded)) == len(folded)
    for word in table:
        assert len(word.encode()) <= 80
        assert not set(word) & set('/\\:*?"<>|')
        assert word == word.strip(" .")
        assert word.partition(".")[0].casefold() not in ("con", "nul", "aux", "lpt9", "com1")


def test_plain_values_keep_plain_words() -> None:
    known = {"species": ("rose", "tulip"), "smiling": ("no", "yes")}
    assert figure_word_of({"species": "rose", "smiling": "yes"}, known) == "rose-smiling-yes"
    assert figure_word_of({"species": "rose", "smiling": "any"}, known) == "rose"
    assert figure_word_of({}, known) == "any"


def test_a_value_of_two_factors_names_its_factor() -> None:
    known = {"petal": ("red", "blue"), "leaf": ("Red", "green")}
    assert figure_word_of({"petal": "red"}, known) == "petal-red"
    assert figure_word_of({"leaf": "green"}, known) == "green"
    assert figure_word_of({"leaf": "Red"}, known) != figure_word_of({"petal": "red"}, known)


def test_words_are_added_and_kept(tmp_path: Path) -> None:
    record_names(tmp_path, {"a": {"x": "1"}})
    before = (tmp_path / FILE).stat().st_mtime_ns
    record_names(tmp_path, {"a": {"x": "1"}})
    assert (tmp_path / FILE).stat().st_mtime_ns == before
    record_names(tmp_path, {"b": {"x": "caf\udce9"}})
    assert read_names(tmp_path) == {"a": {"x": "1"}, "b": {"x": "caf\udce9"}}


def test_a_run_that_cannot_be_written_or_read_has_no_table(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    record_names(place, {"a": {"x": "1"}})
    assert read_names(place) == {}
    (tmp_path / FILE).write_text("[]")
    assert read_names(tmp_path) == {}


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.text("abc_", min_size=1, max_size=3),
        st.lists(st.text(max_size=12), min_size=2, max_size=4, unique=True),
        min_size=1,
        max_size=2,
    )
)
def test_no_two_values_share_a_word(known: dict[str, list[str]]) -> None:
    single = [{n: v} for n, values in known.items() for v in values if v != "any"]
    for word_of in (file_word_of, lambda words: figure_word_of(words, known)):
        words = [word_of(one).casefold() for one in single]
        assert len(set(words)) == len(words)
