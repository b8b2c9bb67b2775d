"""Which browser of this machine tests may use."""

from __future__ import annotations

import shutil


def find_chromium() -> str | None:
    """The first Chromium on the path, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)
