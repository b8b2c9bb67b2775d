"""One process at a time trains in a run folder."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from latentbloom.errors import RunFolderError
from latentbloom.runs.lock import HOLDER, RunLock

HOLD = (
    "import sys, pathlib\n"
    "from latentbloom.runs.lock import RunLock\n"
    "with RunLock(pathlib.Path(sys.argv[1])) as lock:\n"
    "    lock.take()\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_holds_it_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        with RunLock(tmp_path) as lock, pytest.raises(RunFolderError) as caught:
            lock.take()
        host = re.escape(socket.gethostname())
        assert re.fullmatch(
            rf"{re.escape(str(tmp_path))} is being trained by process {process.pid} on {host}, "
            r"since "
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d\. Wait until that has ended, or choose "
            r"another --out\.",
            str(caught.value),
        )
        assert (tmp_path / HOLDER).exists()  # the one who was refused took nothing away
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / HOLDER).exists()  # what the dead one left
        with RunLock(tmp_path) as lock:
            lock.take()
            assert f'"pid": {os.getpid()}' in (tmp_path / HOLDER).read_text()
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.communicate()


def test_two_in_one_process_are_two(tmp_path: Path) -> None:
    with RunLock(tmp_path) as first, RunLock(tmp_path) as second:
        first.take()
        first.take()  # it has it already
        with pytest.raises(RunFolderError, match=f"process {os.getpid()} on"):
            second.take()
    with RunLock(tmp_path) as third:
        third.take()


@pytest.mark.parametrize("told", ["", "[]", '{"pid": 1}', "{"])
def test_a_note_that_cannot_be_read_hides_nothing(tmp_path: Path, told: str) -> None:
    with RunLock(tmp_path) as lock, RunLock(tmp_path) as second:
        lock.take()
        (tmp_path / HOLDER).write_text(told)
        with pytest.raises(RunFolderError, match="is being trained by another process"):
            second.take()


def test_a_lock_that_is_not_taken_touches_nothing(tmp_path: Path) -> None:
    with RunLock(tmp_path / "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_taking_it_removes_what_the_killed_left_and_nothing_else(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "figures").mkdir()
    left = [tmp_path / f".{dead.pid}.new.report.html", tmp_path / f"figures/.{dead.pid}.new.a.png"]
    kept = [tmp_path / ".1.new.scores.json", tmp_path / ".hidden", tmp_path / "figures" / "a.png"]
    for path in (*left, *kept):  # process 1 lives
        path.write_text("x")
    with RunLock(tmp_path) as lock:
        lock.take()
        assert [path.exists() for path in left] == [False, False]
        assert all(path.exists() for path in kept)
