"""The command line answers at once: nothing heavy is imported before there is work for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from latentbloom import __version__
from latentbloom.cli.main import COMMANDS

HEAVY = ("torch", "torchvision", "diffusers", "accelerate", "matplotlib", "sklearn", "PIL", "numpy")

IMPORTS = f"""
import sys
from latentbloom.cli.main import main
try:
    main(sys.argv[1:])
finally:
    heavy = sorted(set({HEAVY!r}) & set(sys.modules))
    print("HEAVY", *heavy)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        [],
        ["presets"],
        ["fit", "--help-config"],
        ["fit", "nowhere", "--preset", "unheard-of"],
        *([name, "--help"] for name in COMMANDS),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *words], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[-1] == "HEAVY", done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_quick() -> None:
    """Half a second of this program's own time, whatever else the machine is busy with."""
    seconds = []
    for _ in range(3):
        before, wall = os.times(), time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "latentbloom", "--help"], check=True, stdout=subprocess.DEVNULL
        )
        after = os.times()
        used = after.children_user + after.children_system
        used -= before.children_user + before.children_system
        # Windows does not count the time of children: there the clock has to do.
        seconds.append(used or time.monotonic() - wall)
    assert min(seconds) < 0.5


def test_importing_the_package_imports_no_torch() -> None:
    program = "import sys, latentbloom; assert 'torch' not in sys.modules; print(dir(latentbloom))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    names = ["__version__", "audit", "errors", "fit", "load", "scores", "show"]
    assert done.stdout.strip() == str(names), done.stderr


def test_the_module_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "latentbloom", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, f"latentbloom {__version__}\n")


def test_a_closed_pipe_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "latentbloom", "fit", "--help-config"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()  # as `| head` does
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=120)
    assert errors == ""
