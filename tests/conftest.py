"""What holds for all tests: no network, no screen, no surprise from the terminal."""

from __future__ import annotations

import os

# Read when the libraries are first imported, so set before any test is.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import pytest
from hypothesis import settings

# A machine that is busy with something else is no reason to fail; chance is not, either.
settings.register_profile("repeatable", deadline=None, derandomize=True)
# HYPOTHESIS_PROFILE=thorough looks for other inputs each time, and for many more of them.
settings.register_profile("thorough", deadline=None, derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages come out the same whatever the terminal of the person who runs the tests."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
