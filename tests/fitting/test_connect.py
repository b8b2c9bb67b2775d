"""Processes that cannot find each other say why."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from latentbloom.errors import TrainingError
from latentbloom.fitting.opening.processes import connect, first_before_others, told_once
from latentbloom.sharing import ALONE

CONNECT = """
from latentbloom.errors import LatentbloomError
from latentbloom.fitting.opening.processes import connect
try:
    connect()
except LatentbloomError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_taken_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        meeting = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}
        meeting |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        done = subprocess.run(
            [sys.executable, "-c", CONNECT],
            env={**os.environ, "OMP_NUM_THREADS": "1", **meeting},
            capture_output=True,
            text=True,
            timeout=240,
        )
    assert f"another program uses the port 127.0.0.1:{port}" in done.stdout, done.stderr[-1000:]
    assert "--master_port N" in done.stdout


@pytest.mark.parametrize("rank", ["2", "-1", "", "first"])
def test_a_rank_of_another_world_is_refused(monkeypatch: pytest.MonkeyPatch, rank: str) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", rank)
    with pytest.raises(TrainingError, match=f"RANK is '{rank}', and WORLD_SIZE 2: .* from 0 to 1"):
        connect()


def test_one_process_connects_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert connect() is ALONE
    with pytest.raises(TrainingError), told_once(ALONE), first_before_others(ALONE):
        raise TrainingError("as it is")
