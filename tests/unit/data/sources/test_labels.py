"""Names of folders to factors."""

from __future__ import annotations

import pytest

from latentbloom.data.sources.labels.hold_out_share import choose_val
from latentbloom.data.sources.labels.names import factor_name, natural_key
from latentbloom.data.sources.labels.values import factor_of_folders, two_valued


@pytest.mark.parametrize(
    ("names", "name", "no", "yes"),
    [
        (["not_smiling", "smiling"], "smiling", "not_smiling", "smiling"),
        (["smiling", "not_smiling"], "smiling", "not_smiling", "smiling"),
        (["glasses", "no_glasses"], "glasses", "no_glasses", "glasses"),
        (["Not-Smiling", "Smiling"], "smiling", "Not-Smiling", "Smiling"),
        (["no glasses", "glasses"], "glasses", "no glasses", "glasses"),
        (["beard", "without_beard"], "beard", "without_beard", "beard"),
        (["yes", "no"], "my_faces", "no", "yes"),
        (["True", "False"], "my_faces", "False", "True"),
        (["0", "1"], "my_faces", "0", "1"),
    ],
)
def test_two_opposite_folders_are_no_and_yes(
    names: list[str], name: str, no: str, yes: str
) -> None:
    factor, indices = factor_of_folders(names, parent="My faces")

    assert factor.name == name
    assert factor.values == ("no", "yes")
    assert indices == {no: 0, yes: 1}


@pytest.mark.parametrize(
    "names",
    [
        ["cats", "dogs"],
        ["not_smiling", "laughing"],
        ["smiling", "not_smiling", "crying"],
        ["0", "1", "2"],
        ["yes", "true"],
        ["no", "maybe"],
        ["north", "rth"],
    ],
)
def test_other_folders_are_values_of_label(names: list[str]) -> None:
    factor, indices = factor_of_folders(names, parent="pets")

    assert factor.name == "label"
    assert set(factor.values) == set(names)
    assert {factor.values[i]: i for i in indices.values()} == indices


def test_labels_are_in_natural_order() -> None:
    factor, _ = factor_of_folders(["class10", "class2", "Class1"], parent="x")

    assert factor.values == ("Class1", "class2", "class10")


def test_natural_key_orders_numbers_and_mixed_names() -> None:
    names = ["b", "10", "a10", "2", "a2b", "a", "A2"]

    assert sorted(names, key=natural_key) == ["2", "10", "a", "A2", "a2b", "a10", "b"]


@pytest.mark.parametrize(
    ("text", "name"),
    [("Hair Colour", "hair_colour"), ("  No-Beard ", "no_beard"), ("!?", "label"), ("ähm", "ähm")],
)
def test_factor_names_can_be_typed(text: str, name: str) -> None:
    assert factor_name(text) == name


def test_two_valued_needs_known_words_alone() -> None:
    assert two_valued(["TRUE", "0"]) == {"TRUE": "yes", "0": "no"}
    assert two_valued(["yes", "maybe"]) is None
    assert two_valued([]) is None


def test_val_is_the_same_share_of_each_label() -> None:
    names = [f"{label}/{k}.png" for label, n in (("a", 100), ("b", 40)) for k in range(n)]

    picked = choose_val(names, [n[0] for n in names], share=0.1)

    assert sum(n.startswith("a") for n in picked) == 10
    assert sum(n.startswith("b") for n in picked) == 4


def test_val_of_many_tiny_strata_is_taken_from_all_of_them_together() -> None:
    names = [f"{k}.png" for k in range(50)]
    labels = [(k // 10, k % 10) for k in range(50)]  # each pair once, each value several times

    assert len(choose_val(names, labels, share=0.1)) == 5


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_last_picture_of_a_value_stays_in_train(share: float) -> None:
    names = [f"{k}.png" for k in range(60)]
    alone = choose_val(names, list(range(60)), share=share)
    pairs = [(k % 12, k) if k < 30 else (k % 12, "other") for k in range(60)]
    held = choose_val(names, pairs, share=share)

    assert alone == frozenset()
    left = [pair for name, pair in zip(names, pairs, strict=True) if name not in held]
    for place in range(2):
        assert {pair[place] for pair in left} == {pair[place] for pair in pairs}
    assert held


def test_another_seed_keeps_others_aside() -> None:
    names = [f"{k}.png" for k in range(100)]

    one, two = (choose_val(names, [0] * 100, share=0.2, seed=seed) for seed in (0, 1))

    assert len(one) == len(two) == 20
    assert one != two


def test_no_share_keeps_nothing_aside() -> None:
    assert choose_val(["a", "b"], [0, 0], share=0.0) == frozenset()
