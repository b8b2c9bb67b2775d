"""The app in a browser, as a person opens it, and what must hold on every visit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from browser_path import find_chromium
from served import Served, served, served_run, serving

__all__ = ["Open", "axe_faults", "open_app", "open_tab", "served", "served_run", "serving"]

NEEDS_BROWSER = pytest.mark.skipif(
    find_chromium() is None, reason="no chromium on this machine: apt-get install chromium"
)
SECONDS = 60_000
AXE = Path(__file__).parent / "browser" / "vendor" / "axe.min.js"

Open = Callable[..., Page]


@pytest.fixture
def open_app(page: Page, served: Served) -> Iterator[Open]:
    """Opens the app; when the test is over, nothing was asked elsewhere and nothing complained."""
    asked: list[str] = []
    broken: list[str] = []
    allowed: list[str] = []
    page.set_default_timeout(SECONDS)
    expect.set_options(timeout=SECONDS)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: broken.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: broken.append(str(error)))

    def open_at(
        tab: str = "generate",
        width: int = 1440,
        height: int = 900,
        scheme: str = "light",
        *,
        server: Served | None = None,
        refusals: bool = False,
    ) -> Page:
        if refusals:  # the browser itself writes one line for each refused request
            allowed.append(
                "error: Failed to load resource: the server responded with a status of 4"
            )
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto(f"{(server or served).address}/{tab and f'#{tab}'}")
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_at
    here = ("http://127.0.0.1:", "data:", "blob:http://127.0.0.1:")
    assert [url for url in asked if not url.startswith(here)] == []
    assert [text for text in broken if not text.startswith(tuple(allowed or ["-"]))] == []


def open_tab(page: Page, name: str) -> Locator:
    """Choose a tab; returns its panel."""
    page.get_by_role("tab", name=name).click()
    panel = page.get_by_role("tabpanel", name=name)
    expect(panel).to_be_visible()
    return panel


def axe_faults(page: Page) -> list[str]:
    """Serious and critical faults of accessibility that axe-core finds on the page as it is."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {node['html'][:150]} ({node['failureSummary'][:200]})"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
