"""Numbers that make no sense are refused by every command before it does anything."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CommandLine

NONSENSE = ("nan", "inf", "-inf", "1e999", "1e30", "many", "")
NUMBERS = [
    *(("sample", flag) for flag in ("-n", "--steps", "--batch-size", "--guidance", "--seed")),
    *(("evaluate", flag) for flag in ("-n", "--per-label", "--seed")),
    *(("show", flag) for flag in ("--frames", "--fps", "--size", "--seed")),
    *(("fit", flag) for flag in ("--minutes", "--images-1", "--images-2", "--seed")),
    *(("edit", flag) for flag in ("--guidance", "--morph-steps", "--seed")),
    *(("pack", flag) for flag in ("--size", "--per-shard", "--workers", "--seed")),
    ("demo", "--minutes"),
    ("app", "--port"),
    ("compare", "--seed"),
]
ZERO_IS_FINE = ("--seed", "--per-label", "--guidance", "--port")
NEGATIVE_IS_FINE = {("sample", "--seed"), ("edit", "--seed"), ("compare", "--seed")}


@pytest.mark.parametrize(("command", "flag"), NUMBERS, ids=" ".join)
def test_a_number_is_in_its_bounds(call: CommandLine, command: str, flag: str) -> None:
    wrong = [*NONSENSE, *([] if flag in ZERO_IS_FINE else ["0"])]
    wrong += [] if (command, flag) in NEGATIVE_IS_FINE else ["-1"]
    for text in wrong:
        outcome = call(command, "nowhere", f"{flag}={text}" if flag != "-n" else f"-n{text}")
        assert outcome.code == 2, (text, outcome)
        assert flag in outcome.err, (text, outcome)
        assert "Traceback" not in outcome.err
        if text:
            assert "Allowed: " in outcome.err, text


def test_every_number_is_tried() -> None:
    """A new number option of a command needs its line above."""
    import argparse

    from latentbloom.cli.main import COMMANDS, command_module

    found = set()
    for name in COMMANDS:
        parser = argparse.ArgumentParser()
        command_module(name).add_arguments(parser)
        for action in parser._actions:
            dotted = any("." in flag for flag in action.option_strings)  # settings, tested there
            if action.metavar in ("N", "W", "PIXELS") and not dotted:
                found.add((name, action.option_strings[0]))
    assert found - {("sample", "-n"), ("evaluate", "-n")} <= set(NUMBERS)
