"""Calling the command line from tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from latentbloom.cli.main import main


class Outcome(NamedTuple):
    """What a command line ended with."""

    code: int
    out: str
    err: str


CommandLine = Callable[..., Outcome]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """`call("fit", "pictures")` runs that command line in this process."""

    def run(*words: object) -> Outcome:
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:  # argparse ends the process itself
            code = int(end.code or 0)
        return Outcome(code, *capsys.readouterr())

    return run
