"""What Windows and macOS do otherwise: names, dates, renames, signals, encodings, missing calls."""

from __future__ import annotations

import ast
import datetime
import io
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from latentbloom.cli.main import main
from latentbloom.report import page
from latentbloom.report.facts import date_words
from latentbloom.storage import disk, files
from latentbloom.train.interrupts import Interrupts

SOURCE = Path(files.__file__).parent.parent
SYSTEMS = [("linux", "posix"), ("darwin", "posix"), ("win32", "nt")]

ABSENT = {
    "os": {
        "fork", "forkpty", "getuid", "geteuid", "getgid", "getloadavg", "killpg", "mkfifo", "nice",
        "sched_getaffinity", "sched_setaffinity", "setsid", "uname", "chown", "wait",
    },
    "time": {"tzset"},
    "signal": {
        "SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGQUIT", "SIGTSTP", "alarm",
        "setitimer", "pause", "pthread_sigmask",
    },
}  # fmt: skip
ABSENT_MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog"}
GUARDS = re.compile(r"sys\.platform|os\.name|hasattr\(|getattr\(|except ImportError")


class WindowsDate(datetime.datetime):
    """A date whose strftime refuses what that of Windows refuses."""

    def strftime(self, form: str) -> str:
        if re.search(r"%[-_^#0-9]", form):
            raise ValueError("Invalid format string")
        return super().strftime(form)


def test_the_report_has_its_date_on_windows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(page, "datetime", SimpleNamespace(datetime=WindowsDate), raising=False)
    (tmp_path / "metrics.jsonl").write_text('{"kind": "train"}\n', encoding="utf-8")
    text = page.write_report(tmp_path).read_text(encoding="utf-8")
    assert re.search(r"on \d+ \w+ \d{4}, \d\d:\d\d\.", text)
    assert date_words(WindowsDate(2026, 3, 5, 9, 7)) == "5 March 2026, 09:07"


@pytest.mark.parametrize(
    ("system", "folder"),
    [(Unix, "/home/x/.cache/latentbloom"), (MacOS, "/home/x/Library/Caches/latentbloom"),
     (Windows, r"C:\Users\x\AppData\Local/latentbloom/Cache")],
)  # fmt: skip
def test_the_cache_lies_where_the_system_keeps_caches(
    system: type, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LATENTBLOOM_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/x")
    local = r"C:\Users\x\AppData\Local"
    monkeypatch.setattr("platformdirs.windows.get_win_folder", lambda name: local)
    monkeypatch.setattr("platformdirs.PlatformDirs", system)
    assert files.cache_folder().as_posix() == folder


@pytest.mark.parametrize(("platform", "name"), SYSTEMS)
def test_names_are_the_same_on_every_system(
    platform: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", platform)
        patch.setattr(os, "name", name)
        words = [
            files.file_word(text) for text in ("smiling: yes", "aux", "a\\b/c", "x. ", 'a<>"|?*')
        ]
    assert words == ["smiling-yes", "aux_", "a-b-c", "x", "a"]


@pytest.mark.parametrize(("platform", "name"), SYSTEMS)
def test_a_rename_waits_for_a_virus_scanner_on_windows_alone(
    platform: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("new", encoding="utf-8")
    new.write_text("there before", encoding="utf-8")
    refusals = iter([PermissionError("in use")] * 2)
    replace, refused = os.replace, []

    def busy(a: Path, b: Path) -> None:
        if error := next(refusals, None):
            refused.append(error)
            raise error
        replace(a, b)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", platform)
        patch.setattr(os, "name", name)
        patch.setattr(os, "replace", busy)
        patch.setattr(disk.time, "sleep", lambda seconds: None)
        try:
            disk.rename(old, new)
            moved = True
        except PermissionError:
            moved = False
        disk.sync(tmp_path)
    assert moved == (name == "nt")
    assert len(refused) == (2 if name == "nt" else 1)
    if moved:
        assert new.read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize(("platform", "name"), SYSTEMS)
def test_ctrl_c_is_heard_where_there_are_few_signals(
    platform: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", platform)
        patch.setattr(os, "name", name)
        for missing in ABSENT["signal"] if name == "nt" else ():
            patch.delattr(signal, missing, raising=False)
        listener = Interrupts(said.append)
        with listener.heard():
            signal.raise_signal(signal.SIGINT)
        stopping = listener.stopping
    assert stopping
    assert len(said) == 1


def trees() -> Iterator[tuple[str, str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        yield path.relative_to(SOURCE).as_posix(), text, ast.parse(text)


def test_nothing_is_called_that_windows_lacks() -> None:
    found = []
    for name, text, tree in trees():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        guarded = {
            line
            for function in functions
            if GUARDS.search(ast.get_source_segment(text, function) or "")
            for line in range(function.lineno, (function.end_lineno or 0) + 1)
        }
        for node in ast.walk(tree):
            if getattr(node, "lineno", 0) in guarded:
                continue
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.attr in ABSENT.get(node.value.id, ()):
                    found.append(f"{name}:{node.lineno} {node.value.id}.{node.attr}")
            elif isinstance(node, ast.Import):
                absent = ABSENT_MODULES.intersection(a.name for a in node.names)
                found += [f"{name}:{node.lineno} {module}" for module in absent]
    assert found == []


def test_dates_encodings_and_renames_are_those_of_every_system() -> None:
    """`%-d`, the locale's own encoding, and a rename that refuses to replace a file."""
    found = []
    for name, _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and re.search(r"%[-#][a-zA-Z]", str(node.value)):
                found.append(f"{name}:{node.lineno} {node.value!r}")
            if not isinstance(node, ast.Call):
                continue
            if _needs_encoding(node) and "encoding" not in {word.arg for word in node.keywords}:
                found.append(f"{name}:{node.lineno} no encoding")
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if called == "rename" and name != "storage/disk.py":
                found.append(f"{name}:{node.lineno} take disk.rename")
    assert found == []


def _needs_encoding(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    mode = first.value if isinstance(first, ast.Constant) else None
    if isinstance(call.func, ast.Name):
        return call.func.id == "open"
    if not isinstance(call.func, ast.Attribute):
        return False
    opens = call.func.attr == "open" and isinstance(mode, str) and re.fullmatch(r"[rwax]\+?", mode)
    return bool(opens) or call.func.attr in ("read_text", "write_text")


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_a_console_of_windows_prints_whatever_is_said(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "röd 花"
    run.mkdir()
    (run / "metrics.jsonl").write_text(
        '{"kind": "train", "stage": "diffusion", "images": 1, "diffusion": 1.0}\n', encoding="utf-8"
    )
    for words, code in ((["presets"], 0), (["show", str(run), "curves"], 0), (["show", "花"], 1)):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            assert main(words) == code
        for stream in streams:
            stream.flush()
        said = "".join(stream.buffer.getvalue().decode(encoding) for stream in streams)  # type: ignore[attr-defined]
        assert len(said) > 10
