"""Every tab of the app as a person would use it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import httpx2
from PIL import Image
from playwright.sync_api import Page, expect

from app_page import NEEDS_BROWSER, Open, open_app, served, served_run
from latentbloom.app.work.picture_files import KEY
from served import Served, events_of

__all__ = ["open_app", "served", "served_run"]
pytestmark = NEEDS_BROWSER


def generate(page: Page, count: int = 3) -> None:
    page.get_by_role("spinbutton", name="Pictures").fill(str(count))
    page.get_by_role("radio", name="draft").check()
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#gallery button")).to_have_count(count)


class TestGenerate:
    def test_conditions_give_pictures_of_them(self, open_app: Open) -> None:
        page = open_app()
        colour = page.get_by_role("group", name="colour")
        expect(colour.get_by_role("radio", name="any")).to_be_checked()
        colour.get_by_role("radio", name="red").check()
        generate(page)
        expect(page.locator("#generate-status")).to_have_text(
            re.compile("3 pictures of “colour: red” in .* s.")
        )
        expect(page.get_by_role("img", name="Picture 2: colour: red")).to_be_visible()

    def test_pictures_are_sent_before_they_are_done(self, open_app: Open) -> None:
        page = open_app()
        with page.expect_response("**/generate/stream") as answer:
            generate(page)
        text = answer.value.text()
        assert text.index("event: preview") < text.index("event: done")

    def test_a_wait_is_told_and_can_be_cancelled(self, open_app: Open, served: Served) -> None:
        page = open_app()
        body = {"count": 64, "num_steps": 200}
        url = f"{served.api}/generate/stream"
        with httpx2.stream("POST", url, json=body, timeout=60) as other:
            events = events_of(other)
            next(name for name, _ in events if name == "started")
            page.get_by_role("button", name="Generate").click()
            expect(page.locator("#generate-status")).to_have_text("Waiting: 1 request is ahead.")
            page.get_by_role("button", name="Cancel").click()
            expect(page.locator("#generate-status")).to_have_text("Cancelled.")
        expect(page.get_by_role("button", name="Cancel")).to_be_hidden()

    def test_a_new_seed_gives_other_pictures_and_the_old_one_the_same(self, open_app: Open) -> None:
        page = open_app()
        generate(page, 1)
        first = page.locator("#gallery img").get_attribute("src")
        page.get_by_role("button", name="New").click()
        page.get_by_role("button", name="Generate").click()
        expect(page.locator("#gallery button img")).not_to_have_attribute("src", first or "")
        page.get_by_role("spinbutton", name="Seed").fill("0")
        page.get_by_role("button", name="Generate").click()
        expect(page.locator("#gallery button img")).to_have_attribute("src", first or "")

    def test_one_opens_large_with_its_path(self, open_app: Open) -> None:
        page = open_app()
        generate(page)
        page.locator("#gallery button").nth(1).click()
        viewer = page.get_by_role("dialog")
        slider = viewer.get_by_role("slider", name="From noise to picture")
        expect(slider).to_be_enabled()
        expect(slider).to_have_value("4")
        big = viewer.locator("img.big")
        last = big.get_attribute("src")
        slider.fill("1")
        expect(big).not_to_have_attribute("src", last or "")
        expect(viewer.locator(".value").first).to_have_text(re.compile("step 1 of 4, t = 0"))
        clean = big.get_attribute("src")
        viewer.get_by_role("checkbox", name="Show the noisy picture").check()
        expect(big).not_to_have_attribute("src", clean or "")
        viewer.get_by_role("button", name="Next").click()
        expect(viewer.get_by_role("img", name="Picture 2")).to_be_visible()
        page.keyboard.press("Escape")
        expect(viewer).to_be_hidden()

    def test_the_same_noise_under_each_value_and_near_noise(self, open_app: Open) -> None:
        page = open_app()
        generate(page)
        page.locator("#gallery button").nth(2).click()
        page.get_by_label("Condition to change").select_option("height")
        page.get_by_role("button", name="Show each value").click()
        expect(page.locator("#gallery li p")).to_have_text(["high", "low"])
        expect(page.locator("#generate-title")).to_have_text("The noise of picture 2, each height")
        page.locator("#gallery button").first.click()
        page.get_by_role("button", name="Show 8 neighbours").click()
        expect(page.locator("#gallery button")).to_have_count(8)
        expect(page.locator("#generate-title")).to_have_text("Near the noise of picture 2")

    def test_downloads(self, open_app: Open) -> None:
        page = open_app()
        generate(page)
        with page.expect_download() as packed:
            page.get_by_role("button", name="Download all (ZIP)").click()
        with zipfile.ZipFile(Path(packed.value.path())) as archive:
            assert len(archive.namelist()) == 4
        page.locator("#gallery button").first.click()
        with page.expect_download() as saved:
            page.get_by_role("button", name="PNG with its settings").click()
        content = Path(saved.value.path()).read_bytes()
        picture = Image.open(io.BytesIO(content))
        assert json.loads(picture.text[KEY])["seed"] == 0  # type: ignore[attr-defined]
        assert saved.value.suggested_filename.endswith(".png")
        with page.expect_download() as film:
            page.get_by_role("button", name="GIF of its path").click()
        assert Path(film.value.path()).read_bytes().startswith(b"GIF8")


class TestExplore:
    def test_places_decode_directions_move_and_two_clicks_morph(self, open_app: Open) -> None:
        page = open_app("explore")
        expect(page.locator("#map-note")).to_contain_text("24 held-out pictures")
        page.locator("#map").hover(position={"x": 200, "y": 200})
        expect(page.locator("#map-here")).to_have_text(re.compile(r"Picture \d+\. colour: "))
        page.locator("#map").click(position={"x": 200, "y": 200})
        picture = page.locator("#explore-out img")
        expect(picture).to_have_attribute("alt", re.compile("Decoded at"))
        page.get_by_role("slider", name="red").fill("2")
        expect(picture).to_have_attribute("alt", re.compile("colour=red 2"))
        page.get_by_label("Towards").select_option("principal components")
        page.get_by_role("slider", name="component 1").fill("-1")
        expect(picture).to_have_attribute("alt", re.compile("component 1 -1"))
        page.get_by_role("radio", name="starts or ends a morph").check()
        page.locator("#map").click(position={"x": 100, "y": 100})
        expect(page.locator("#explore-out")).to_contain_text("Now choose where the morph ends.")
        page.locator("#map").click(position={"x": 400, "y": 400})
        page.get_by_role("slider", name="From A to B").fill("7")
        expect(picture).to_have_attribute("alt", "Morph from A to B, picture 8 of 16")
        with page.expect_download() as film:
            page.get_by_role("button", name="GIF").click()
        assert Path(film.value.path()).read_bytes().startswith(b"GIF8")

    def test_zoom_and_the_other_map(self, open_app: Open) -> None:
        page = open_app("explore")
        expect(page.locator("#map-note")).to_contain_text("24 held-out pictures")
        whole = page.locator("#map").screenshot()
        page.get_by_role("button", name="Zoom in").click()
        assert page.locator("#map").screenshot() != whole
        page.get_by_role("button", name="All").click()
        assert page.locator("#map").screenshot() == whole
        page.get_by_role("radio", name="PCA").check()
        expect(page.locator("#map-note")).to_contain_text("of the variance")
        assert page.locator("#map").screenshot() != whole


class TestEdit:
    def test_a_held_out_picture(self, open_app: Open) -> None:
        page = open_app("edit")
        expect(page.get_by_role("button", name="Edit", exact=True)).to_be_disabled()
        page.get_by_role("button", name="Picture 3: ").click()
        expect(page.locator("#edit-status")).to_contain_text("The model finds: colour: ")
        shown = page.locator("#edit-status").inner_text()
        other = "red" if "colour: blue" in shown else "blue"
        page.locator("#edit-conditions").get_by_role("radio", name=other).check()
        page.get_by_role("button", name="Edit", exact=True).click()
        slider = page.get_by_role("slider", name="After on the right")
        slider.fill("80")
        expect(page.locator(".before-after .after")).to_have_attribute(
            "style", re.compile(r"clip-path: inset\(0px 0px 0px 80%\)")
        )
        page.get_by_role("button", name="Strip of strengths").click()
        expect(page.locator("#edit-strip-out button")).to_have_count(6)
        page.get_by_role("button", name="Strength 0.4").click()
        expect(page.get_by_role("img", name=re.compile("After: .*strength 0.4"))).to_be_visible()

    def test_a_picture_of_ones_own(self, open_app: Open, tmp_path: Path) -> None:
        page = open_app("edit")
        Image.new("RGB", (90, 60), "teal").save(tmp_path / "mine.png")
        page.get_by_label("A picture of yours").set_input_files(tmp_path / "mine.png")
        expect(page.locator("#edit-status")).to_contain_text("cropped to the central square")
        page.locator("#edit-conditions").get_by_role("radio", name="low").check()
        expect(page.get_by_role("button", name="Edit", exact=True)).to_be_enabled()

    def test_a_wrong_file_is_refused_in_words(self, open_app: Open, tmp_path: Path) -> None:
        page = open_app("edit", refusals=True)
        (tmp_path / "notes.png").write_text("no picture")
        page.get_by_label("A picture of yours").set_input_files(tmp_path / "notes.png")
        told = "The file is no picture that can be read."
        expect(page.get_by_role("alert")).to_contain_text(told)
        expect(page.locator("#edit-status")).to_contain_text(told)
        expect(page.get_by_role("button", name="Edit", exact=True)).to_be_disabled()
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("alert")).to_be_hidden()


class TestOthers:
    def test_compare_two_qualities_of_one_run(self, open_app: Open) -> None:
        page = open_app("compare")
        panel = page.get_by_role("tabpanel", name="Compare")
        expect(panel).to_contain_text("One run is served")
        panel.get_by_role("spinbutton", name="Pictures").fill("2")
        panel.get_by_role("button", name="Compare").click()
        expect(panel.locator(".note", has_text="4 steps, guidance")).to_have_count(2)
        expect(panel.locator(".gallery img")).to_have_count(4)

    def test_watch_shows_curves_and_words(self, open_app: Open) -> None:
        page = open_app("watch")
        panel = page.get_by_role("tabpanel", name="Watch")
        expect(panel).to_contain_text("Finished")
        expect(panel.locator("svg").first).to_be_visible()
        expect(panel.get_by_role("heading", name="Autoencoder: done")).to_be_visible()

    def test_the_report_is_inside_and_its_script_runs(self, open_app: Open) -> None:
        page = open_app("report")
        frame = page.frame_locator("#report-frame")
        expect(frame.get_by_role("heading", name="Summary")).to_be_visible()
        panel = frame.locator(".panel", has=page.locator(".axis")).first
        button = panel.locator(".axis")
        before = button.get_attribute("aria-pressed")
        button.click()
        expect(button).not_to_have_attribute("aria-pressed", before or "")
