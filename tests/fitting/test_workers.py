"""`fit` starts processes of its own, passes Ctrl-C on to them and explains their deaths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from latentbloom.errors import TrainingError
from latentbloom.fitting.workers import run_processes
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint
from latentbloom.runs.folder import RunFolder
from tiny_run import TINY, make_pictures
from worker_parts import PATIENCE, add_up, die, die_late, refuse

MEETING = {"MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE"}


@pytest.mark.slow
def test_processes_find_each_other_and_answer() -> None:
    assert run_processes(add_up, (10,), count=2, threads=1) == [21, 2, 1]
    assert not MEETING & os.environ.keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "message"),
    [
        (refuse, r"^The batch is too small\.$"),
        (die, r"SIGKILL.*--processes 1"),
        (die_late, r"SIGKILL.*--processes 1"),
    ],
)
def test_one_that_fails_ends_all(work: Any, message: str) -> None:
    began = time.monotonic()
    with pytest.raises(TrainingError, match=message):
        run_processes(work, (), count=2, threads=1)
    assert time.monotonic() - began < PATIENCE / 2


def begin(pictures: Path, run: Path, *, processes: int) -> subprocess.Popen[str]:
    """`fit` in a process of its own, with more to train than there is time for."""
    settings = {k: v for k, v in TINY.items() if v is not None}
    settings |= {"train.vae_gan_images": 100_000, "train.checkpoint_seconds": 0.5}
    command = [sys.executable, "-m", "latentbloom", "fit", str(pictures), "--out", str(run)]
    command += [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    command += ["--processes", str(processes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_fit_starts_two_processes_stops_them_and_resumes_with_one(tmp_path: Path) -> None:
    pictures, run = make_pictures(tmp_path / "pictures"), tmp_path / "run"
    process = begin(pictures, run, processes=2)
    last = run / "vae_gan_last"
    wait_for(process, lambda: checkpoint_exists(last) and position(last)["images"] > 100)
    process.send_signal(signal.SIGINT)  # to the command alone: it tells the others
    printed, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors[-2000:]
    assert "2 processes." in printed
    assert printed.count("Stopped and saved") == 1
    assert "Traceback" not in errors
    stopped = position(last)
    assert 100 < stopped["images"] < 100_000
    assert not stopped["done"]
    assert RunFolder(run).load_config().train.processes == 2

    process = begin(pictures, run, processes=1)
    wait_for(process, lambda: position(last)["images"] > stopped["images"])
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors[-2000:]
    assert "processes." not in printed


@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_another_number_resumes_it(tmp_path: Path) -> None:
    pictures, run = make_pictures(tmp_path / "pictures"), tmp_path / "run"
    process = begin(pictures, run, processes=2)
    last = run / "vae_gan_last"
    wait_for(process, lambda: checkpoint_exists(last) and position(last)["images"] > 100)
    children = psutil.Process(process.pid).children()
    trained = [c for c in children if "spawn_main" in " ".join(c.cmdline())]
    assert len(trained) == 2
    trained[-1].kill()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "SIGKILL" in errors
    assert "The last checkpoint is intact" in errors
    assert "Traceback" not in errors.partition("latentbloom: ")[2]
    assert not any(child.is_running() for child in trained)
    before = position(last)["images"]

    process = begin(pictures, run, processes=1)
    wait_for(process, lambda: position(last)["images"] > before)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors[-2000:]


def wait_for(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Wait until a command that goes on has done something."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def position(checkpoint: Path) -> dict[str, Any]:
    """Where the stage was when it last saved."""
    return load_checkpoint(checkpoint, [])[1]["position"]
