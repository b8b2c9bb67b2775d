"""Commands that the program prints can be copied into a shell."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import latentbloom
from latentbloom.commands import command_line
from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.fitting.finish import sample_command
from latentbloom.model.generator import Model
from latentbloom.runs.folder import RunFolder

SOURCES = sorted(Path(latentbloom.__file__).parent.rglob("*.py"))
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(words=st.lists(WORDS), value=WORDS)
def test_a_shell_reads_the_words_back(words: list[str], value: str) -> None:
    read = shlex.split(command_line(*words, cond={"species": value}))
    assert read == ["latentbloom", *words, "--cond", f"species={value}"]


def test_each_condition_has_an_option_of_its_own() -> None:
    line = command_line("sample", Path("my runs/a"), cond={"species": "blackberry lily", "no": "1"})
    assert line == ("latentbloom sample 'my runs/a' --cond 'species=blackberry lily' --cond no=1")


@settings(max_examples=20)
@given(words=st.lists(st.binary(min_size=1).filter(lambda b: 0 not in b)))
def test_bash_reads_any_bytes_back(words: list[bytes]) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    line = command_line(*map(os.fsdecode, words)).replace("latentbloom", "printf '%s\\0'", 1)
    read = subprocess.run([bash, "-c", os.fsencode(line)], capture_output=True, check=True).stdout
    assert read.split(b"\0")[:-1] == (words or [b""])


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("runs/a", "runs/a"),
        ("C:\\runs\\a", "C:\\runs\\a"),
        ("species=blackberry lily", '"species=blackberry lily"'),
        ("label=a,b", '"label=a,b"'),
        ("label=it's", '"label=it\'s"'),
        ("label=玫瑰", '"label=玫瑰"'),
        ("price=$5", "'price=$5'"),
        ("x=100% `now`", "'x=100% `now`'"),
        ("it's $5", "'it''s $5'"),
        ("d’été $x", "'d’’été $x'"),
        ('x="a"', "'x=\\\"a\\\"'"),
        ("C:\\my runs\\", "'C:\\my runs\\\\'"),
        ("", '""'),
    ],
)
def test_on_windows_words_are_quoted_for_powershell(word: str, quoted: str) -> None:
    assert command_line("show", word, windows=True) == f"latentbloom show {quoted}"


def test_what_fit_prints_at_its_end_is_understood() -> None:
    spec = ConditionSpec((Factor("species", ("rose", "blackberry lily")),))
    model = cast(Model, SimpleNamespace(spec=spec))
    words = shlex.split(sample_command(RunFolder(Path("my runs/flowers")), model))
    assert words[:3] == ["latentbloom", "sample", str(Path("my runs/flowers"))]
    assert spec.parse([words[words.index("--cond") + 1]]) == {"species": "blackberry lily"}


def test_no_command_is_put_together_elsewhere() -> None:
    by_hand = re.compile(r"latentbloom (fit|sample|evaluate|show|audit|compare) \{")
    found = [str(path) for path in SOURCES if by_hand.search(path.read_text(encoding="utf-8"))]
    assert found == []
