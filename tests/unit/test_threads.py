"""Waiting threads spin for a bounded time, unless the environment says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from latentbloom.threads import SPIN_COUNT

READ = "import os; print(os.environ.get('GOMP_SPINCOUNT'))"


def spin_count_after(code: str, **told: str) -> str:
    """The bound that a fresh process has after some code."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GOMP_", "OMP_WAIT"))}
    command = [sys.executable, "-c", f"{code}; {READ}"]
    done = subprocess.run(command, env=clean | told, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_the_command_line_bounds_spinning_before_torch_is_loaded() -> None:
    code = "import sys; from latentbloom.cli.main import main; main(['presets'])"
    assert spin_count_after(code + "; assert 'torch' not in sys.modules") == str(SPIN_COUNT)


def test_python_bounds_it_when_a_function_is_first_asked_for() -> None:
    assert spin_count_after("import latentbloom") == "None"
    assert spin_count_after("import latentbloom; latentbloom.load") == str(SPIN_COUNT)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--minutes", "9"], "None"),
        ([], "None"),
        (["--images-1", "9", "--images-2", "9"], str(SPIN_COUNT)),
    ],
)
def test_fit_bounds_it_where_it_may_not_change_its_threads(options: list[str], found: str) -> None:
    words = ["fit", "no such folder", "--out", "no-run", *options]
    code = f"from latentbloom.cli.main import main; main({words!r})"
    assert spin_count_after(code) == found


@pytest.mark.parametrize(
    ("told", "found"), [({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "None")]
)
def test_what_the_user_set_stays(told: dict[str, str], found: str) -> None:
    code = "from latentbloom.threads import bound_spinning; bound_spinning()"
    assert spin_count_after(code, **told) == found


def test_nothing_changes_once_torch_is_loaded() -> None:
    code = "import torch; from latentbloom.threads import bound_spinning; bound_spinning()"
    assert spin_count_after(code) == "None"
