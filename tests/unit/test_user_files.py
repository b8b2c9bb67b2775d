"""Opening files that the program did not write."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import cast

import pytest

from latentbloom.config import SourceOptions, load_config
from latentbloom.data.audit.findings import Audit
from latentbloom.data.audit.run import audit_source
from latentbloom.data.reading import file_stamp, read_picture
from latentbloom.data.sources.open import open_source
from latentbloom.errors import RunFolderError, SourceError
from latentbloom.report.run_files import read_run
from latentbloom.runs.folder import RunFolder
from latentbloom.runs.metrics import read_metrics
from latentbloom.storage import user_files
from latentbloom.storage.files import write_atomic
from latentbloom.storage.user_files import map_in_threads, named_while_waiting, open_file, read_text
from picture_files import tree

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def pipe(path: Path) -> str:
    os.mkfifo(path)
    return "a named pipe"


def a_socket(path: Path) -> str:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)
    return "a socket"


def linked_device(path: Path) -> str:
    path.symlink_to("/dev/zero")
    return "a device"


def linked_pipe(path: Path) -> str:
    os.mkfifo(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    return "a named pipe"


Odd = Callable[[Path], str]
odd_things = pytest.mark.parametrize("make", [pipe, a_socket, linked_device, linked_pipe])


@odd_things
def test_only_files_are_opened(tmp_path: Path, make: Odd) -> None:
    kind = make(tmp_path / "x.png")
    with pytest.raises(OSError, match=f"it is {kind}, not a file"), open_file(tmp_path / "x.png"):
        pass
    with pytest.raises(SourceError, match=rf"x\.png cannot be read .*: it is {kind}, not a file\."):
        read_picture(tmp_path / "x.png")


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\r\ntwo\rthree")
    (tmp_path / "b.txt").symlink_to(tmp_path / "a.txt")
    assert read_text(tmp_path / "b.txt") == "one\ntwo\nthree"


@odd_things
def test_what_is_called_like_a_picture_and_is_none_is_set_aside_by_name(
    tmp_path: Path, make: Odd
) -> None:
    tree(tmp_path / "pictures", {"yes": 10, "no": 10})
    kind = make(tmp_path / "pictures" / "yes" / "odd.png")

    audit = audit_source(open_source(tmp_path / "pictures"))

    named = {aside.name: aside.reason for aside in (*audit.broken, *audit.unused)}
    assert kind in named["yes/odd.png"]
    assert audit.train + audit.val == 20


@odd_things
@pytest.mark.parametrize("name", ["labels.csv", "list_attr_celeba.txt", "list_eval_partition.csv"])
def test_a_list_of_labels_that_is_no_file(tmp_path: Path, name: str, make: Odd) -> None:
    tree(tmp_path, {"img_align_celeba": 20, "no": 20})
    kind = make(tmp_path / name)
    table = SourceOptions(source=str(tmp_path))
    celeba = SourceOptions(source="celeba", root=str(tmp_path))
    with pytest.raises(SourceError, match=f"{name} is {kind}, not a file"):
        open_source(table if name == "labels.csv" else celeba)


def test_a_source_that_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pictures")
    with pytest.raises(SourceError, match="pictures is a named pipe, not a file"):
        open_source(tmp_path / "pictures")


@odd_things
def test_a_run_folder_with_something_odd_in_it(tmp_path: Path, make: Odd) -> None:
    kind = make(tmp_path / "config.json")
    with pytest.raises(RunFolderError, match=f"is no run .* config.json is {kind}, not a file"):
        RunFolder(tmp_path).load_config()
    with pytest.raises(RunFolderError, match=f"config.json cannot be read: it is {kind}"):
        load_config(tmp_path / "config.json")
    with pytest.raises(RunFolderError, match="is no run"):
        read_run(tmp_path)
    for name in ("audit.json", "metrics.jsonl", "scores.json", "plan.json"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "figures").mkdir()
    assert read_run(tmp_path).audit == {}
    assert read_metrics(tmp_path / "metrics.jsonl") == []
    with pytest.raises(SourceError, match="audit.json is not an audit .*: it is a named pipe"):
        Audit.load(tmp_path / "audit.json")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_files, "SLOW", 0.2)
    monkeypatch.setattr(user_files, "_watch", user_files._Watch())


@pytest.mark.usefixtures("impatient")
def test_a_slow_read_is_named_while_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), named_while_waiting("/share/a\udce9.png"):
        end = time.monotonic() + 20
        while not caplog.messages and time.monotonic() < end:
            time.sleep(0.02)
    said = caplog.messages[0]
    assert r"Reading /share/a\xe9.png has taken" in said
    assert "Ctrl-C" in said
    time.sleep(0.5)
    assert len(caplog.messages) <= 4  # each time after twice as long


@pytest.mark.usefixtures("impatient")
def test_a_quick_read_is_not_named(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            assert read_text(tmp_path / "a") == "x"
            time.sleep(0.03)
    assert caplog.messages == []


def test_results_come_in_order_and_errors_are_raised() -> None:
    def slow(k: int) -> int:
        time.sleep(0.02 * (k % 3))
        return k * k

    assert list(map_in_threads(slow, range(20), 4)) == [k * k for k in range(20)]
    assert list(map_in_threads(slow, [], 4)) == []
    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(lambda k: 1 // k, [2, 0, 1], 2))


def test_a_thread_that_waits_for_ever_does_not_hold_up_the_others() -> None:
    never = threading.Event()
    results = map_in_threads(lambda k: never.wait() if k else k, [0, 1, 2], 2)
    assert next(results) == 0
    began = time.monotonic()
    with contextlib.closing(cast(Generator[object], results)):
        pass
    assert time.monotonic() - began < 30  # and not for ever


STUCK = """
import os, signal, sys, threading, time
from PIL import Image
from latentbloom.storage import user_files
from latentbloom.data.reading import file_stamp
from latentbloom.cli.main import main

user_files.SLOW = 0.5
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start tests without it
opened, waiting = Image.open, threading.Event()
def stuck(file):  # as on a share that does not answer
    if threading.current_thread() is not threading.main_thread():
        waiting.set()
        time.sleep(1000)
    return opened(file)
Image.open = stuck
def press():
    waiting.wait()
    time.sleep(3)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press, daemon=True).start()
sys.exit(main(["audit", sys.argv[1]]))
"""


def test_ctrl_c_ends_an_audit_whose_disk_does_not_answer(tmp_path: Path) -> None:
    tree(tmp_path, {"yes": 10, "no": 10})
    ended = subprocess.run(
        [sys.executable, "-c", STUCK, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ended.returncode == 130, ended.stderr
    assert "interrupted" in ended.stderr
    assert "has taken" in ended.stderr
    assert ".png" in ended.stderr


def test_pictures_json_of_any_name(tmp_path: Path) -> None:
    path = write_atomic(tmp_path / "x.json", json.dumps(["a\udce9"], ensure_ascii=False))
    assert json.loads(path.read_text(encoding="utf-8")) == ["a\udce9"]


def test_a_part_of_a_file_is_read_like_a_file(tmp_path: Path) -> None:
    whole = tmp_path / "whole.bin"
    whole.write_bytes(b"before a picture after")
    part = user_files.FilePart(whole, 7, 9)
    assert user_files.read_bytes(part) == b"a picture"
    assert file_stamp(part) == (9, whole.stat().st_mtime_ns)
    assert os.path.dirname(part) == str(tmp_path)
    with pytest.raises(OSError, match="cut short"):
        user_files.read_bytes(user_files.FilePart(whole, 7, 90))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked there")
def test_a_forked_process_reads_whatever_its_parent_was_at(tmp_path: Path) -> None:
    """The thread that names slow reads holds its lock at the moment of the fork."""
    (tmp_path / "file").write_text("x")
    program = (
        "import os, sys, signal, warnings\n"
        "from latentbloom.storage.user_files import _watch, read_text\n"
        "warnings.simplefilter('ignore')\n"
        "with _watch._busy._cond, _watch._lock:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        signal.alarm(20)\n"
        "        os._exit(read_text(sys.argv[1]) != 'x')\n"
        "sys.exit(os.waitpid(child, 0)[1])\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path / "file")], timeout=120)
    assert ended.returncode == 0
