"""Names of people's files and labels are printed as they are, whatever they look like."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from latentbloom.data.audit.run import audit_source
from latentbloom.data.audit.table import audit_table
from latentbloom.data.sources.open import open_source
from latentbloom.errors import ConfigError
from latentbloom.fitting.finish import _guard
from latentbloom.fitting.whole_run import Fitting
from latentbloom.runs.folder import RunFolder
from tiny_run import make_pictures

ODD = "[/b] [red]x :rose: \\"


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=300, record=True)


def test_an_audit_of_odd_names(tmp_path: Path, console: Console) -> None:
    folder = make_pictures(tmp_path / "pictures", splits=False)
    (folder / "day").rename(folder / "[b] [red]x")
    (folder / "night" / "[bold].png").write_bytes(b"no picture")
    (folder / "night" / "[red]1.png").write_bytes((folder / "night" / "1.png").read_bytes())
    console.print(audit_table(audit_source(open_source(folder))))
    text = console.export_text()
    assert "[b] [red]x" in text
    assert "night/[bold].png: " in text
    assert "night/[red]1.png" in text


def test_what_fit_says(tmp_path: Path, console: Console) -> None:
    def fail() -> None:
        raise ConfigError(f"No {ODD}.")

    _guard(console, "scores", fail)
    Fitting(RunFolder(tmp_path), console, 0.0)._say(ODD)
    assert console.export_text() == f"No scores: No {ODD}.\n{ODD}\n"
