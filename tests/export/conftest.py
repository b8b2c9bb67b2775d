"""Each family's tiny run and its ONNX export, made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from browser_path import QUIET, find_chromium
from finished_run import make_finished_run
from latentbloom.export.onnx_folder.write import export_onnx

SHOWN = [[0, 0], [0, 1], [1, 1], [1, 2], [0, 2]]  # never a red day


class OnnxExport(NamedTuple):
    """A run, its export, what was said meanwhile, and the measured differences."""

    run: Path
    folder: Path
    said: list[str]
    parity: dict[str, float]


@pytest.fixture(scope="session", params=["swift", "classic", "pixel"])
def onnx_export(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> OnnxExport:
    family = request.param
    base = tmp_path_factory.mktemp(family)
    shown = SHOWN if family == "swift" else None
    run = make_finished_run(base / "run", family, shown=shown)
    said: list[str] = []
    return OnnxExport(run, base / "onnx", said, export_onnx(run, base / "onnx", say=said.append))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The browser of the system: nothing is downloaded."""
    return {"executable_path": find_chromium(), "args": list(QUIET)}
