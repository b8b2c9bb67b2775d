"""Which browser of this machine tests may use."""

from __future__ import annotations

import shutil

QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""Options of a browser that asks the network for nothing."""


def find_chromium() -> str | None:
    """The first Chromium on the path, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)
