"""Completion in shells, and the demo."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from latentbloom.cli.main import COMMANDS, main
from latentbloom.fitting import pipeline

BASH = shutil.which("bash") or ""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_know_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for word in (*COMMANDS, "per-shard", "celeba-smiling", "minutes"):
        assert word in text
    assert "diffusion.lr" not in text  # very many, and `fit --help` leaves them out, too


@pytest.mark.skipif(not BASH, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("latentbloom aud", ["audit"]),
        ("latentbloom pack --per", ["--per-shard"]),
        ("latentbloom fit --preset celeba-sm", ["celeba-smiling", "celeba-smiling-classic"]),
        ("latentbloom audit pict", ["pictures"]),
    ],
)
def test_bash_completes(
    line: str, expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "complete.sh").write_text(script("bash", capsys))
    words = line.split()
    ask = (
        f"source complete.sh; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
        f"COMP_LINE='{line}'; COMP_POINT={len(line)}; "
        f"_shtab_latentbloom latentbloom {words[-1]} {words[-2]}; "
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run([BASH, "-c", ask], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.split() == expected, done.stderr


def test_the_demo_fits_rendered_pictures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(pipeline, "fit", lambda source, **more: asked.append((source, more)))
    assert main(["demo", "--minutes", "3", "--out", str(tmp_path)]) == 0
    assert asked == [("synthetic-flowers", {"out": tmp_path, "minutes": 3.0})]
    assert main(["demo"]) == 0
    assert asked[1][1]["out"] == Path("runs/demo")
