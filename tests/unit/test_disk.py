"""Steps on the disk: announced, named in their errors, and the only way to write."""

from __future__ import annotations

import ast
import errno
import os
import resource
import signal
from pathlib import Path

import pytest

from latentbloom.cli.main import main
from latentbloom.storage import disk
from latentbloom.storage.files import reason_of, write_atomic

SOURCE = Path(disk.__file__).parent.parent

WRITERS = {
    *("write_bytes", "write_text", "unlink", "rmtree", "rmdir", "mkdir", "replace", "copyfile"),
    *("copytree", "move", "touch", "symlink_to", "open_memmap", "save_file", "truncate", "link"),
}
"""Calls that change the disk, by the name of the function. `replace` of os alone."""

ALLOWED = {
    "storage/disk.py": WRITERS,
    # The hidden file that is removed again; all writing before it is announced.
    "storage/files.py": {"write_bytes", "unlink"},
    "runs/checkpoint.py": {"save_file", "rmtree"},
    "runs/metrics.py": {"truncate"},
    "data/kept.py": {"truncate", "unlink"},
    # Folders that the program removes or fills before anybody knows them.
    "app/work/uploads.py": {"write_bytes"},
    "data/sources/published/downloads.py": {"rmdir"},
    "export/opening.py": {"rmdir"},
    # Written into an export's folder for people who do not have this package.
    "export/onnx_folder/script.py": {"write_bytes", "mkdir"},
}


def test_nothing_else_writes() -> None:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            called = function.attr if isinstance(function, ast.Attribute) else ""
            called = function.id if isinstance(function, ast.Name) else called
            of_os = isinstance(function, ast.Attribute) and ast.unparse(function.value) == "os"
            if called in WRITERS - ALLOWED.get(name, set()) and (called != "replace" or of_os):
                found.append(f"{name}:{node.lineno} {called}")
    assert found == []


def test_each_step_of_a_write_is_announced_before_it_is_taken(tmp_path: Path) -> None:
    seen: list[tuple[str, str, bool]] = []

    def watch(step: disk.Step, path: Path) -> None:
        seen.append((step, path.name.split(".new.")[-1], (tmp_path / "a" / "b.json").exists()))

    with disk.watched_by(watch):
        write_atomic(tmp_path / "a" / "b.json", "{}")
    write_atomic(tmp_path / "a" / "c.json", "{}")  # of which nobody is told any more
    assert seen == [
        ("make", "a", False),
        ("write", "b.json", False),
        ("sync", "b.json", False),
        ("rename", "b.json", False),
        ("sync", "a", True),
    ]


@pytest.mark.parametrize("failing", ["write", "sync", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_failed_write_leaves_the_old_file_and_names_it(
    tmp_path: Path, failing: str, number: int
) -> None:
    path = write_atomic(tmp_path / "plan.json", "old")

    def refuse(step: disk.Step, _: Path) -> None:
        if step == failing:
            raise OSError(number, os.strerror(number))  # without a name, as from write()

    with disk.watched_by(refuse), pytest.raises(OSError, match="Errno") as caught:
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]
    assert reason_of(caught.value) == f"{path} cannot be read or written: {os.strerror(number)}"


def test_a_line_that_did_not_fit_is_taken_back(tmp_path: Path) -> None:
    """By a real limit of the system: the first bytes of the line reach the file, no more."""
    path = tmp_path / "metrics.jsonl"
    disk.append(path, "x" * 100 + "\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150, before[1]))
        with pytest.raises(OSError, match="File too large"):
            disk.append(path, "y" * 100 + "\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)
    assert path.read_text() == "x" * 100 + "\n"
    disk.append(path, "z\n")
    assert path.read_text().splitlines()[-1] == "z"


def test_room_that_is_not_there_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "latents.npy"
    path.write_bytes(b"head")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(OSError, match="File too large") as caught:
            disk.reserve(path, 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)
    assert caught.value.filename == str(path)
    disk.reserve(path, 5000)
    assert path.stat().st_size == 5000
    assert path.read_bytes()[:4] == b"head"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_the_command_line_ends_with_1_and_a_sentence(
    tmp_path: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with disk.watched_by(refuse):
        code = main(["fit", "synthetic-flowers", "--out", str(tmp_path / "run")])
    said = capsys.readouterr().err
    assert code == 1
    assert said.startswith(f"latentbloom: {tmp_path}/ cannot be read or written: ")
    assert os.strerror(number) in said
    assert len(said.splitlines()) == 1
