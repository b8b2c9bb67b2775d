"""The app at every width, by keyboard alone, in the dark, and with axe-core."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app_page import (
    NEEDS_BROWSER,
    Open,
    axe_faults,
    open_app,
    open_tab,
    served,
    served_run,
    serving,
)
from latentbloom.runs.metrics import MetricsLog
from served import Served

__all__ = ["open_app", "served", "served_run"]
pytestmark = NEEDS_BROWSER

TABS = ("Generate", "Explore", "Edit", "Compare", "Watch", "Report")


def fill(page: Page, tab: str) -> None:
    """Bring a tab into the state in which it shows most."""
    open_tab(page, tab)
    if tab == "Generate":
        page.get_by_role("spinbutton", name="Pictures").fill("5")
        page.get_by_role("radio", name="draft").check()
        page.get_by_role("button", name="Generate").click()
        expect(page.locator("#gallery button")).to_have_count(5)
    if tab == "Explore":
        expect(page.locator("#map-note")).to_contain_text("held-out pictures")
        page.locator("#map").click(position={"x": 150, "y": 150})
        expect(page.locator("#explore-out img")).to_be_visible()
    if tab == "Edit":
        page.locator("#held button").nth(3).click()
        expect(page.locator("#edit-status")).to_contain_text("The model finds")
    if tab == "Compare":
        page.locator("#compare").get_by_role("spinbutton", name="Pictures").fill("2")
        page.locator("#compare button.main").click()
        expect(page.locator("#compare .gallery img")).to_have_count(4)
        expect(page.locator("#compare-cancel")).to_be_hidden()
    if tab == "Watch":
        expect(page.locator("#watch svg").first).to_be_visible()
    if tab == "Report":
        heading = page.frame_locator("#report-frame").get_by_role("heading", name="Summary")
        expect(heading).to_be_visible()


@pytest.mark.parametrize(
    ("width", "scheme"), [(1440, "light"), (768, "dark"), (390, "light"), (390, "dark")]
)
def test_every_tab_fits_and_axe_finds_nothing(open_app: Open, width: int, scheme: str) -> None:
    page = open_app(width=width, height=844 if width == 390 else 900, scheme=scheme)
    for tab in TABS:
        fill(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        assert axe_faults(page) == [], tab
    ground, ink = page.evaluate(
        "(s => [s.backgroundColor, s.color].map(c => c.match(/[\\d.]+/g).slice(0, 3).map(Number)))"
        "(getComputedStyle(document.body))"
    )
    assert (sum(ground) < sum(ink)) == (scheme == "dark")


def test_the_large_picture_and_the_description_of_the_api_pass_axe(open_app: Open) -> None:
    page = open_app()
    fill(page, "Generate")
    page.locator("#gallery button").first.click()
    expect(page.get_by_role("slider", name="From noise to picture")).to_be_enabled()
    assert axe_faults(page) == []
    page.goto(page.url.partition("#")[0] + "docs")
    expect(page.get_by_role("heading", name="HTTP API")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    assert axe_faults(page) == []


def test_everything_is_reached_by_keyboard(open_app: Open) -> None:
    page = open_app("explore")
    press = page.keyboard.press
    skip = page.get_by_role("link", name="Skip to the content")
    skip.focus()
    expect(skip).to_be_in_viewport()
    press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.get_by_role("tab", name="Explore")).to_have_attribute("aria-selected", "true")
    open_tab(page, "Generate")
    page.get_by_role("tab", name="Generate").focus()
    press("Tab")
    expect(page.get_by_role("radio", name="any").first).to_be_focused()
    press("ArrowRight")
    expect(page.get_by_role("radio", name="blue")).to_be_checked()
    page.get_by_role("radio", name="balanced").focus()
    press("ArrowLeft")
    expect(page.get_by_role("radio", name="draft")).to_be_checked()
    page.get_by_role("spinbutton", name="Pictures").focus()
    page.keyboard.type("2")
    page.get_by_role("spinbutton", name="Pictures").fill("2")
    press("Enter")
    expect(page.locator("#gallery button")).to_have_count(2)
    page.locator("#gallery button").first.focus()
    press("Enter")
    slider = page.get_by_role("slider", name="From noise to picture")
    expect(slider).to_be_enabled()
    slider.focus()
    press("ArrowLeft")
    expect(page.locator("#viewer .value").first).to_contain_text("step 3 of 4")
    press("Escape")
    expect(page.locator("#gallery button").first).to_be_focused()


def test_tabs_and_the_map_work_by_arrow_keys(open_app: Open) -> None:
    page = open_app()
    press = page.keyboard.press
    page.get_by_role("tab", name="Generate").focus()
    press("ArrowRight")
    expect(page.get_by_role("tab", name="Explore")).to_be_focused()
    expect(page.locator("#map-note")).to_contain_text("24 held-out pictures")
    page.locator("#map").focus()
    seen = set()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowRight"):
        press(key)
        seen.add(page.locator("#map-here").inner_text())
    assert len(seen) >= 3
    press("+")
    press("Enter")
    expect(page.locator("#explore-out img")).to_have_attribute(
        "alt", re.compile(r"Decoded at picture \d+")
    )
    page.get_by_role("tab", name="Explore").focus()
    press("End")
    expect(page.get_by_role("tab", name="Report")).to_be_focused()
    press("Home")
    expect(page.get_by_role("tab", name="Generate")).to_be_focused()


def test_the_theme_is_chosen_and_kept(open_app: Open) -> None:
    page = open_app()
    page.get_by_label("Theme").select_option("dark")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(20, 25, 30)"
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_run_in_training_is_watched_from_its_files(
    open_app: Open, served_run: Path, tmp_path: Path
) -> None:
    young = tmp_path / "young"
    shutil.copytree(served_run, young)
    shutil.rmtree(young / "conditional_diffusion_final")
    log = MetricsLog(young / "metrics.jsonl")
    with serving(young, served_run) as server:
        page = open_app("watch", server=server)
        panel = page.get_by_role("tabpanel", name="Watch")
        expect(panel).to_contain_text("In training")
        expect(panel).to_contain_text("2,000 pictures seen")
        log.write(
            "train", "diffusion", {"images": 2400, "progress": 0.5, "seconds": 90, "diffusion": 0.4}
        )
        expect(panel).to_contain_text("2,400 pictures seen")
        expect(panel.get_by_role("heading", name="Diffusion: 50%")).to_be_visible()
        expect(panel).to_contain_text("About 90 s of training left.".replace("90 s", "2 min"))
        open_tab(page, "Generate")
        expect(page.locator("#generate-status")).to_contain_text("no denoiser yet")
        page.locator("#run").select_option(served_run.name)
        expect(page.get_by_role("button", name="Generate")).to_be_enabled()


def test_two_users_see_only_their_own_pictures(open_app: Open, served: Served) -> None:
    page = open_app()
    fill(page, "Generate")
    browser = page.context.browser
    assert browser is not None
    other = browser.new_context()
    try:
        second = other.new_page()
        second.goto(served.address)
        second.wait_for_selector("html[data-ready]")
        expect(second.locator("#gallery li")).to_have_count(0)
        cookies = [c.cookies()[0].get("value") for c in (page.context, other)]
        assert cookies[0] != cookies[1]
    finally:
        other.close()
