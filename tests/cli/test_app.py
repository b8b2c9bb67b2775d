"""`latentbloom app` from the command line."""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from served import served_run

__all__ = ["served_run"]


def app(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "latentbloom", "app", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_prints_its_address_answers_and_ends_at_ctrl_c(served_run: Path) -> None:
    with app(served_run, "--port", 0) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(
            r"Open (http://127\.0\.0\.1:\d+/) in a browser. Ctrl\+C ends it.\n", line
        )
        assert found, line
        page = httpx2.get(found[1])
        assert page.status_code == 200
        assert f"<option>{served_run.name}</option>" in page.text
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_ctrl_c_ends_it_while_the_model_is_loaded(
    served_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that is busy at the end must not turn the exit code into a crash."""
    from latentbloom.app import server
    from latentbloom.cli import app_command

    ended: list[int] = []
    monkeypatch.setattr(app_command.os, "_exit", ended.append)

    class Busy:
        alive = True

    def serve(app: Any, **_: Any) -> None:
        app.state.queue = Busy()

    monkeypatch.setattr(server, "serve", serve)
    parser = argparse.ArgumentParser()
    app_command.add_arguments(parser)
    app_command.run(parser.parse_args([str(served_run)]))
    assert ended == [0]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--host", "0.0.0.0"), "Give --auth user:password"),
        (("--auth", "anna"), "--auth must be user:password"),
        (("--port", "70000"), "a whole number from 0 to 65,535"),
        (("--host", "no.such.host.invalid", "--auth", "a:b"), "cannot listen on"),
    ],
)
def test_what_cannot_be_served_is_said(served_run: Path, words: tuple[str, ...], text: str) -> None:
    ended = app(served_run, *words)
    _, err = ended.communicate(timeout=120)
    assert ended.returncode == 2
    assert text in err
    assert "Traceback" not in err


def test_a_taken_port_is_said(served_run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = app(served_run, "--port", port)
        _, err = ended.communicate(timeout=120)
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in err


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    ended = app(tmp_path)
    _, err = ended.communicate(timeout=120)
    assert ended.returncode == 1
    assert "is no run of latentbloom" in err


def test_the_server_answers_before_pytorch_is_loaded(served_run: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from latentbloom.app.server import make_app; "
        f"make_app([Path({str(served_run)!r})]).state.runs['coloured'].describe(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ).returncode == 0
