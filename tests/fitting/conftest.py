"""Runs of this folder end without figures, which take longer than all the rest of a tiny run."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing, unless a test is marked with `draws`."""
    if request.node.get_closest_marker("draws") is None:
        monkeypatch.setattr("latentbloom.figures.draw.draw_figures", lambda *_, **__: [])
