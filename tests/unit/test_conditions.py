"""Conditions as they are typed, also where values contain commas and equals signs."""

from __future__ import annotations

import shlex

import pytest

from latentbloom.commands import command_line
from latentbloom.conditions import ANY, ConditionSpec, Factor
from latentbloom.errors import ConditionError

SPEC = ConditionSpec(
    (
        Factor("label", ("red", "red, dark", "a=b", "red, dark, old", "50 % grey; worn")),
        Factor("smiling", ("no", "yes")),
    )
)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ("label=red, dark", {"label": "red, dark"}),
        ("label=red", {"label": "red"}),
        ("label=red, dark, old,smiling=yes", {"label": "red, dark, old", "smiling": "yes"}),
        ("smiling = no, label = a=b", {"smiling": "no", "label": "a=b"}),
        ("label=red,smiling=yes", {"label": "red", "smiling": "yes"}),
        (["label=red, dark", "smiling=no"], {"label": "red, dark", "smiling": "no"}),
        ("label=50 % grey; worn", {"label": "50 % grey; worn"}),
        (", label=any ,, ", {"label": ANY}),
        ("", {}),
        ([], {}),
    ],
)
def test_known_values_may_contain_commas_and_equals_signs(
    texts: str | list[str], words: dict[str, str]
) -> None:
    assert SPEC.parse(texts) == words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label=read, dark", r"'read, dark' is no value of 'label'.*Did you mean red, dark"),
        ("label=blu,smiling=yes", "'blu' is no value of 'label'"),
        ("label=red, dark, new", "'new' is not NAME=VALUE"),
        ("label=", "'' is no value of 'label'"),
        ("smilling=yes", "Did you mean smiling"),
        ("=yes", "'' is no condition of this model"),
    ],
)
def test_what_is_unknown_is_named_whole(text: str, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        SPEC.parse(text)


@pytest.mark.parametrize("texts", ["smiling=no,smiling=yes", ["smiling=no", "smiling=yes"]])
def test_a_factor_cannot_be_asked_for_twice(texts: str | list[str]) -> None:
    with pytest.raises(ConditionError, match="'smiling' is asked for twice: no and yes"):
        SPEC.parse(texts)


def test_groups_are_separated_by_semicolons() -> None:
    groups = SPEC.parse_groups("label=50 % grey; worn, smiling=no; label=red, dark;")

    assert groups == [{"label": "50 % grey; worn", "smiling": "no"}, {"label": "red, dark"}]


def test_options_for_a_shell_come_back() -> None:
    words = {"label": "50 % grey; worn", "smiling": "yes"}

    typed = command_line("sample", cond=words)

    assert typed == "latentbloom sample --cond 'label=50 % grey; worn' --cond smiling=yes"
    assert SPEC.parse(shlex.split(typed)[3::2]) == words


FORMS = ConditionSpec(
    (
        Factor("label", ("marché", "Rose", "tulip", "TULIP", " spaced ", "a, B", "caf\\xe9")),
        Factor("größe", ("klein", "groß")),
    )
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label=marche\u0301", {"label": "marché"}),
        ("LABEL=MARCHÉ", {"label": "marché"}),
        ("label=rose,GRÖSSE=Gross", {"label": "Rose", "größe": "groß"}),
        ("gro\u0308ße=klein", {"größe": "klein"}),
        ("label=tulip", {"label": "tulip"}),
        ("label= spaced ", {"label": " spaced "}),
        ("label=spaced", {"label": " spaced "}),
        ("label=A, b,größe=klein", {"label": "a, B", "größe": "klein"}),
        ("label=caf\udce9", {"label": "caf\\xe9"}),
    ],
)
def test_another_case_or_unicode_form_is_understood(text: str, words: dict[str, str]) -> None:
    assert FORMS.parse(text) == words


@pytest.mark.parametrize("text", ["label=Tulip", "label=tulips"])
def test_what_could_be_two_values_is_refused(text: str) -> None:
    with pytest.raises(ConditionError, match="is no value of 'label'"):
        FORMS.parse(text)


def test_what_could_be_two_factors_is_refused() -> None:
    spec = ConditionSpec((Factor("Hair", ("no", "yes")), Factor("hair", ("no", "yes"))))
    assert spec.parse("hair=no,Hair=yes") == {"hair": "no", "Hair": "yes"}
    with pytest.raises(ConditionError, match="'HAIR' is no condition .*: Hair, hair"):
        spec.parse("HAIR=no")


def test_values_are_text_that_can_be_shown() -> None:
    factor = Factor("label", ("a\nb", "caf\udce9", "\x1b[31m", "\u202eabc"))
    assert factor.values == ("a\\nb", "caf\\xe9", "\\x1b[31m", "\\u202eabc")
    assert Factor("label", factor.values) == factor
    assert [factor.index(word) for word in ("a\nb", "caf\udce9")] == [0, 1]
