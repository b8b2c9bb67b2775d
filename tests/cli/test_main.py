"""Finding the command, and telling what is wrong with a command line."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import NoReturn

import pytest

import latentbloom
from latentbloom.cli.main import COMMANDS
from latentbloom.errors import ConditionError, ConfigError, SourceError
from tests.cli.conftest import CommandLine


def test_help_lists_the_commands(call: CommandLine) -> None:
    for words in (["--help"], []):
        outcome = call(*words)
        assert outcome.code == 0
        for name, summary in COMMANDS.items():
            assert f"  {name} " in outcome.out
            assert summary in outcome.out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(call: CommandLine, name: str) -> None:
    outcome = call(name, "--help")
    assert outcome.code == 0
    assert f"usage: latentbloom {name}" in outcome.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fti", "x"], "unknown command 'fti'. Did you mean fit? Commands: fit, sample, "),
        (["--verson"], "unknown option '--verson'. Did you mean --version?"),
        (["fit"], "There is no SOURCE: name a folder of labelled pictures or a built-in"),
        (["fit", "x", "--minuts", "3"], "option '--minuts'. Did you mean --minutes or "),
        (["fit", "x", "--diffusion.lrr=3"], "'--diffusion.lrr'. Did you mean --diffusion.lr "),
        (["presets", "all"], "unknown argument 'all'."),
        (["fit", "x", "--minutes", "soon"], "'soon' is not allowed. Allowed: a number above 0"),
        (["fit", "x", "--minutes", "-1"], "'-1' is not allowed. Allowed: a number above 0"),
        (["fit", "x", "--size", "65"], "'65' is not allowed. Allowed: 32|64|96|128|256 or none."),
        (["sample", "x", "-n", "0"], "'0' is not allowed. Allowed: a whole number from 1 to "),
        (
            ["sample", "x", "--sampler", "dmp++"],
            "'dmp++' is not allowed. Allowed: sde-dpm++|dpm++|",
        ),
        (
            ["fit", "x", "--images-1", "1.5"],
            "Allowed: whole number from 1 to 1,000,000,000,000 or none.",
        ),
        (
            ["fit", "x", "--sampling.tune_guidance", "maybe"],
            "'maybe' is not allowed. Allowed: true|false.",
        ),
        (
            ["fit", "x", "--data.mirror", "maybe"],
            "'maybe' is not allowed. Allowed: true|false or none.",
        ),
        (["fit", "x", "--diffusion.lr", "nan"], "Allowed: number above 0 and at most 100."),
        (
            ["fit", "x", "--denoiser.width", "33"],
            "Allowed: whole number from 32 to 4,096 and a multiple of 32.",
        ),
    ],
)
def test_what_is_wrong_is_said(call: CommandLine, words: list[str], message: str) -> None:
    outcome = call(*words)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


def test_an_unknown_preset_lists_the_known_ones(call: CommandLine) -> None:
    outcome = call("fit", "x", "--preset", "swfit")
    assert outcome.code == 2
    assert outcome.err.startswith("latentbloom: No preset is called 'swfit'. Known presets: swift")


class TestErrors:
    def fail(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        def run(_: argparse.Namespace) -> NoReturn:
            raise error

        monkeypatch.setattr(import_module("latentbloom.cli.presets_command"), "run", run)

    def test_for_people(self, call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fail(monkeypatch, SourceError("pictures/ holds no pictures."))
        assert call("presets") == (1, "", "latentbloom: pictures/ holds no pictures.\n")

    def test_a_wrong_call(self, call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        for error in (ConfigError("n is 0."), ConditionError("n is 0.")):
            self.fail(monkeypatch, error)
            assert call("presets") == (2, "", "latentbloom: n is 0.\n")

    def test_an_interruption(self, call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fail(monkeypatch, KeyboardInterrupt())
        assert call("presets") == (130, "", "latentbloom: interrupted\n")

    def test_a_bug_keeps_its_traceback(
        self, call: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fail(monkeypatch, ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            call("presets")


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="module 'latentbloom' has no attribute 'fitt'"):
        _ = latentbloom.fitt  # type: ignore[attr-defined]


def test_presets_are_listed(call: CommandLine) -> None:
    from latentbloom.presets import PRESETS

    outcome = call("presets")
    assert outcome.code == 0
    for name in PRESETS:
        assert name in outcome.out
