"""Conditions: words to indices and back, whatever the factors are called."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentbloom.conditions import ANY, ConditionSpec, Factor
from latentbloom.errors import ConditionError

FEW = settings(max_examples=40)  # a spec has few shapes; a hundred of them tell no more
WORDS = st.text(alphabet="abcdefgäöü_ -0123456789", min_size=1, max_size=8).filter(
    lambda word: word == word.strip() and word != ANY
)
VALUES = st.text(alphabet="ab ,=;", min_size=1, max_size=6).filter(
    lambda word: word == word.strip() and word != ANY
)


@st.composite
def specs(draw: st.DrawFn) -> ConditionSpec:
    names = draw(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    values = st.lists(WORDS, min_size=1, max_size=6, unique=True)
    return ConditionSpec(tuple(Factor(name, tuple(draw(values))) for name in names))


@st.composite
def asked(draw: st.DrawFn) -> tuple[ConditionSpec, dict[str, str]]:
    """A spec, and a value ("any" among them) for some of its factors."""
    spec = draw(specs())
    chosen = draw(st.lists(st.sampled_from(spec.factors), unique=True))
    return spec, {f.name: draw(st.sampled_from((*f.values, ANY))) for f in chosen}


@FEW
@given(asked(), st.integers(0, 5))
def test_words_come_back(request: tuple[ConditionSpec, dict[str, str]], n: int) -> None:
    spec, words = request

    cond = spec.encode(words, n)

    assert list(cond) == list(spec.names)
    assert all(rows.shape == (n,) and rows.dtype == torch.long for rows in cond.values())
    assert spec.words(cond) == [{name: words.get(name, ANY) for name in spec.names}] * n


@FEW
@given(asked())
def test_what_is_typed_is_read(request: tuple[ConditionSpec, dict[str, str]]) -> None:
    spec, words = request
    pieces = [f"{name} = {value}" for name, value in words.items()]

    assert spec.parse(pieces) == words
    assert spec.parse(",".join(pieces)) == words


@FEW
@given(st.lists(VALUES, min_size=1, max_size=6, unique=True), st.data())
def test_each_typed_value_is_read_whatever_signs_are_in_it(
    values: list[str], data: st.DataObject
) -> None:
    spec = ConditionSpec((Factor("one", tuple(values)), Factor("two", tuple(values))))
    words = {name: data.draw(st.sampled_from(values)) for name in spec.names}

    assert spec.parse([f"{name}={value}" for name, value in words.items()]) == words


@FEW
@given(specs())
def test_json_round_trip(spec: ConditionSpec) -> None:
    assert ConditionSpec.from_json(spec.to_json()) == spec


@FEW
@given(specs())
def test_the_null_index_is_beyond_every_value(spec: ConditionSpec) -> None:
    for factor in spec.factors:
        indices = [factor.index(value) for value in factor.values]
        assert indices == list(range(len(factor.values)))
        assert factor.index(ANY) == factor.null_index == len(indices)
        assert factor.num_embeddings == len(indices) + 1
        assert [factor.word(i) for i in (*indices, factor.null_index)] == [*factor.values, ANY]


@FEW
@given(specs())
def test_combinations_are_all_there_once(spec: ConditionSpec) -> None:
    combinations = [tuple(words.items()) for words in spec.combinations()]
    expected = 1
    for factor in spec.factors:
        expected *= len(factor.values)

    assert len(combinations) == len(set(combinations)) == expected


@FEW
@given(asked(), st.data())
def test_dropping_leaves_the_other_rows_alone(
    request: tuple[ConditionSpec, dict[str, str]], data: st.DataObject
) -> None:
    spec, words = request
    n = 6
    cond = spec.encode(words, n)
    lists = st.lists(st.booleans(), min_size=n, max_size=n)
    masks = {name: torch.tensor(data.draw(lists)) for name in spec.names}

    dropped = spec.drop(cond, masks)

    for name in spec.names:
        assert not spec.known(name, dropped[name][masks[name]]).any()
        assert torch.equal(dropped[name][~masks[name]], cond[name][~masks[name]])
    nothing = spec.null_like(cond)
    assert all(not spec.known(name, nothing[name]).any() for name in spec.names)


@FEW
@given(specs(), WORDS)
def test_an_unknown_word_lists_the_known_ones(spec: ConditionSpec, word: str) -> None:
    factor = spec.factors[0]
    if word not in factor.values:
        with pytest.raises(ConditionError) as error:
            spec.encode({factor.name: word}, 1)
        assert f"'{word}' is no value of '{factor.name}'" in str(error.value)
        assert ", ".join(factor.values) in str(error.value)
    if word not in spec.names:
        with pytest.raises(ConditionError, match="is no condition of this model"):
            spec.encode({word: ANY}, 1)


def test_a_near_miss_is_pointed_out() -> None:
    spec = ConditionSpec((Factor("smiling", ("no", "yes")), Factor("species", ("daisy", "rose"))))

    with pytest.raises(ConditionError, match="Did you mean daisy"):
        spec.parse("species=daisi")
    with pytest.raises(ConditionError, match="Did you mean smiling"):
        spec.parse("smilling=yes")
    with pytest.raises(ConditionError, match=r"'smiling' is not NAME=VALUE, as in smiling=no\."):
        spec.parse("smiling")


def test_factors_that_make_no_sense() -> None:
    with pytest.raises(ConditionError, match="lists a value twice"):
        Factor("x", ("a", "a"))
    with pytest.raises(ConditionError, match="is the word for 'not said'"):
        Factor("x", ("a", ANY))
