"""A report in a real browser. The browser is that of the system: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from browser_path import QUIET, find_chromium
from latentbloom.figures.draw import draw_figures
from latentbloom.report.page import write_report
from shown_run import (
    coloured_pictures,
    make_audit,
    make_run,
    make_scores,
    open_splits,
    untrained_model,
)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Replaces that of pytest-playwright, which would look for a browser of its own."""
    return {"executable_path": find_chromium(), "args": list(QUIET)}


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a whole run."""
    pictures = coloured_pictures(tmp_path_factory.mktemp("pictures"))
    splits = open_splits(pictures)
    model = untrained_model(splits["train"])
    run = make_run(tmp_path_factory.mktemp("runs") / "coloured", model)
    make_audit(pictures, run)
    make_scores().save(run / "scores.json")
    draw_figures(
        model, splits["val"], run, train=splits["train"],
        what=["samples", "reconstructions", "path", "map", "factors", "neighbours"],
    )  # fmt: skip
    return write_report(run)
