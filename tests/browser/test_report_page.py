"""report.html from disk: no network, no error, and what can be moved moves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser_path import find_chromium

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no chromium on this machine: apt-get install chromium"
)

Open = Callable[..., Page]


@pytest.fixture
def open_report(page: Page, report: Path) -> Iterator[Open]:
    """Opens the report and, when the test is over, holds that nothing was asked or broken."""
    asked: list[str] = []
    broken: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: broken.append(message.text))
    page.on("pageerror", lambda error: broken.append(str(error)))

    def open_at(width: int = 1440, height: int = 900, scheme: str = "light") -> Page:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto(report.as_uri())
        return page

    yield open_at
    outside = [url for url in asked if not url.startswith(("data:", report.as_uri()))]
    assert outside == []
    assert broken == []


@pytest.mark.parametrize("width", [390, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_and_every_picture_is_there(
    open_report: Open, width: int, scheme: str
) -> None:
    page = open_report(width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    pictures = page.evaluate(
        "[...document.images].map(i => [i.alt, i.complete && i.naturalWidth > 0])"
    )
    assert len(pictures) > 50
    assert all(alt and whole for alt, whole in pictures)
    ground, ink = page.evaluate(
        "(s => [s.backgroundColor, s.color].map(c => c.match(/\\d+/g).slice(0, 3).map(Number)))"
        "(getComputedStyle(document.body))"
    )
    assert (sum(ground) < sum(ink)) == (scheme == "dark")


def test_every_section_is_reached_from_the_bar(open_report: Open) -> None:
    page = open_report(768)
    links = page.locator("nav a")
    assert links.count() >= 10
    for link in links.all():
        target = page.locator(link.get_attribute("href") or "none")
        expect(target.locator("h2")).to_have_count(1)
    page.locator("nav a", has_text="Scores").click()
    expect(page.locator("#scores h2")).to_be_in_viewport()


def test_the_slider_shows_another_step(open_report: Open) -> None:
    page = open_report()
    box = page.locator(".steps")
    strip = box.locator(".strip").first
    output = box.locator("output")
    expect(output).to_have_text("step 4 of 4, t = 0.00")
    assert strip.evaluate("e => getComputedStyle(e).backgroundPositionX") == "100%"
    box.locator("input").fill("1")
    expect(output).to_contain_text("step 1 of 4")
    assert strip.evaluate("e => getComputedStyle(e).backgroundPositionX") == "25%"
    box.locator("input").press("ArrowLeft")
    expect(output).to_contain_text("step 0 of 4, t = 1.00")


@pytest.mark.parametrize("width", [390, 1440])
def test_bars_of_a_score_have_one_length(open_report: Open, width: int) -> None:
    page = open_report(width)
    wide = page.evaluate(
        "[...document.querySelector('#scores .bars').querySelectorAll('.track')]"
        ".map(e => e.getBoundingClientRect().width)"
    )
    assert len(wide) == 2
    assert wide[0] == wide[1] > 60


def test_play_runs_to_the_picture_and_stops(open_report: Open) -> None:
    page = open_report()
    button = page.locator(".steps .play")
    button.click()
    expect(button).to_have_attribute("aria-label", "Pause")
    expect(page.locator(".steps output")).to_contain_text("step 4 of 4")
    expect(button).to_have_attribute("aria-label", "Play")


def seek_point(page: Page) -> None:
    """Move the pointer over the map until a point lights up."""
    canvas = page.locator(".map canvas")
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    assert frame is not None
    for row in range(1, 12):
        for col in range(1, 12):
            page.mouse.move(
                frame["x"] + frame["width"] * col / 12, frame["y"] + frame["height"] * row / 12
            )
            if page.locator(".tip").is_visible():
                return
    raise AssertionError("no point of the map answers to the pointer")


def test_a_point_of_the_map_shows_its_picture_and_words(open_report: Open) -> None:
    page = open_report()
    seek_point(page)
    tip = page.locator(".tip")
    expect(tip.locator("span")).to_have_text(
        re.compile(r"^(picture|sample), colour: (red|blue), height: (low|high)$")
    )
    style = tip.locator(".thumb").evaluate(
        "e => [e.style.backgroundSize, e.style.backgroundPosition, e.style.backgroundImage]"
    )
    assert style[0] == "4000% 500%"
    assert style[1].endswith("%")
    assert style[2].startswith('url("data:image/webp')
    page.mouse.move(2, 2)
    expect(tip).to_be_hidden()


def test_the_map_takes_other_colours_and_another_projection(open_report: Open) -> None:
    page = open_report()
    box = page.locator(".map")
    canvas = box.locator("canvas")

    def drawn() -> str:
        return canvas.evaluate("c => c.toDataURL()")

    kinds = ["large: centre of its pictures", "ring: sample"]
    expect(box.locator(".legend span")).to_have_text(["blue", "red", *kinds])
    seen = [drawn()]
    box.locator(".factor").select_option("height")
    expect(box.locator(".legend span")).to_have_text(["high", "low", *kinds])
    seen.append(drawn())
    box.locator(".which").select_option("PCA")
    seen.append(drawn())
    box.locator(".overlay").uncheck()
    expect(box.locator(".legend span")).to_have_text(["high", "low", kinds[0]])
    seen.append(drawn())
    assert len(set(seen)) == 4


def test_centres_are_drawn_in_the_colour_of_their_label(open_report: Open) -> None:
    page = open_report()
    box = page.locator(".map")
    box.locator(".factor").select_option("height")
    box.locator(".overlay").uncheck()
    expect(box.locator(".legend span")).to_have_text(
        ["high", "low", "large: centre of its pictures"]
    )
    # As many pixels of a label's full colour as a disc has, and paler ones for its dots.
    found = box.evaluate(
        """box => {
            const canvas = box.querySelector("canvas");
            const pen = canvas.getContext("2d");
            const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
            const factor = JSON.parse(box.querySelector("script").textContent).factors[1];
            return factor.colours.map((hex) => {
                const want = [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
                let count = 0;
                for (let i = 0; i < data.length; i += 4)
                    count += want.every((w, k) => data[i + k] === w && data[i + 3] === 255);
                return count;
            });
        }"""
    )
    assert all(60 <= count <= 300 for count in found), found


def test_touch_shows_a_point_on_a_phone(open_report: Open) -> None:
    page = open_report(390, 844)
    seek_point(page)
    frame, tip = page.locator(".plane").bounding_box(), page.locator(".tip").bounding_box()
    assert frame is not None
    assert tip is not None
    assert frame["x"] - 1 <= tip["x"]
    assert tip["x"] + tip["width"] <= frame["x"] + frame["width"] + 1


def test_a_curve_changes_to_a_logarithmic_axis_and_back(open_report: Open) -> None:
    page = open_report()
    panel = page.locator(".panel", has=page.locator("button.axis")).first
    button = panel.locator("button.axis")
    before = button.get_attribute("aria-pressed")
    linear, log = panel.locator(".linear svg"), panel.locator(".logarithmic svg")
    assert linear.is_visible() != log.is_visible()
    shown = log.is_visible()
    button.click()
    assert button.get_attribute("aria-pressed") != before
    assert log.is_visible() != shown
    assert linear.is_visible() == shown


def test_print_shows_pictures_and_no_controls(open_report: Open) -> None:
    page = open_report()
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("nav")).to_be_hidden()
    expect(page.locator(".steps .controls")).to_be_hidden()
    expect(page.locator("#samples img").first).to_be_visible()
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
