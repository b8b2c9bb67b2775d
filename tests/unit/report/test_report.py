"""The report and the card: from files alone, and honest about what is missing."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from latentbloom.errors import RunFolderError
from latentbloom.figures.sheets import BLANK, Sheet, make_sheet
from latentbloom.pictures.preview import save_preview
from latentbloom.report.card import write_card
from latentbloom.report.facts import duration, plural
from latentbloom.report.health import worries
from latentbloom.report.page import write_report
from latentbloom.report.run_files import read_run
from shown_run import make_scores

VOID = {"meta", "link", "img", "br", "input", "circle", "polyline", "line", "rect"}


class Page(HTMLParser):
    """Collects pictures, addresses and anchors; every element has to be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "img":
            self.images.append(known)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href")]
        if known.get("id"):
            self.ids.add(known["id"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_file_with_words_for_every_picture(drawn: Path) -> None:
    path = write_report(drawn)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert len(page.images) > 20
    assert all(image.get("alt") for image in page.images)
    assert all(a.startswith(("data:", "#")) for a in page.addresses)
    assert {a[1:] for a in page.addresses if a.startswith("#")} <= page.ids
    assert not re.search(r"https?://", text)
    assert path.stat().st_size < 8_000_000
    assert "27.2 dB" in text
    assert "some/&lt;flowers&gt;" in text
    assert "some/<flowers>" not in text


def test_a_moved_run_has_the_same_page(drawn: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / drawn.name
    shutil.copytree(drawn, other)
    strip = re.compile(r"Written by .*? This page")
    pages = [strip.sub("", write_report(run).read_text(encoding="utf-8")) for run in (drawn, other)]
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("metrics.jsonl", "there are no records in metrics.jsonl"),
        ("config.json", "There is no config.json"),
        ("audit.json", "There is no audit.json"),
        ("scores.json", "There are no scores yet"),
        ("figures", "There are no reconstructions yet."),
    ],
)
def test_what_is_missing_is_said_and_the_rest_is_there(drawn: Path, gone: str, said: str) -> None:
    path = drawn / gone
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    text = write_report(drawn).read_text(encoding="utf-8")
    assert said in text
    assert {"summary", "data", "samples", "curves", "settings"} <= Page(text).ids


def test_scores_are_shown_with_their_intervals_and_what_is_wrong_is_said(drawn: Path) -> None:
    make_scores().save(drawn / "scores.json")
    text = write_report(drawn).read_text(encoding="utf-8")
    assert text.count("2.5 × real vs. real") == 2, "samples and reconstructions"
    assert "real vs. real: -0.01" in text, "a floor about zero is no measure"
    assert "sampler dpm++, num_steps 20." in text
    assert "5 <small>[4, 6]</small>" in text
    assert "50% <small>[40, 60]</small>" in text
    assert "unseen in training<br><small>blue, low</small>" in text
    assert "distance of feature maps 0.5" in text
    assert "Few &lt;pictures&gt;." in text
    assert 'aria-label="50 of 100 as requested"' in text
    said = " ".join(worries(read_run(drawn)))
    assert "colour” clearly less often than real pictures do: blue (50%)" in said
    assert "look alike for colour=red" in said
    assert "50% of the samples are suspiciously close" in said


def test_scored_samples_that_come_nearest_to_training_are_shown(drawn: Path) -> None:
    heading = "Closest of all scored samples"
    assert heading not in write_report(drawn).read_text(encoding="utf-8")
    worst = drawn / "figures" / "copies.png"
    shutil.copy(next((drawn / "figures").glob("*.png")), worst)
    text = write_report(drawn).read_text(encoding="utf-8")
    assert heading in text
    assert any(
        "nearest to a training picture" in (image.get("alt") or "") for image in Page(text).images
    )
    worst.write_bytes(b"not a picture")
    assert heading not in write_report(drawn).read_text(encoding="utf-8")


def test_the_data_is_shown_as_the_audit_found_it(drawn: Path) -> None:
    text = write_report(drawn).read_text(encoding="utf-8")
    assert "<dt>training pictures</dt><dd>36</dd>" in text
    assert "<dt>pixels</dt><dd>32 × 32</dd>" in text
    assert "<dt>channels</dt><dd>3 (colour)</dd>" in text
    assert "18 + 12" in text
    assert json.loads((drawn / "audit.json").read_text(encoding="utf-8"))["advice"][0] in text


@pytest.mark.parametrize("field", ["duplicates", "twins"])
def test_duplicates_are_counted_under_the_old_name_of_their_field_too(
    drawn: Path, field: str
) -> None:
    audit = json.loads((drawn / "audit.json").read_text(encoding="utf-8"))
    group = {"names": ["a.png", "b.png", "c.png"], "exact": True}
    audit.pop("duplicates")
    audit[field] = [group | {"across_splits": True, "across_labels": True}]
    (drawn / "audit.json").write_text(json.dumps(audit), encoding="utf-8")
    text = write_report(drawn).read_text(encoding="utf-8")
    assert "<dt>exact duplicates</dt><dd>2</dd>" in text
    assert len(worries(read_run(drawn))) >= 2


def test_colours_that_the_program_found_are_among_the_data(run: Path) -> None:
    tiles = np.zeros((4, 8, 8, 3), np.uint8)
    for found in (True, False):
        make_sheet(
            "colours",
            tiles,
            rows=["red (9)", "blue (1)"],
            cols=2,
            pictures=[{}, {}, {}, {BLANK: True}],
            about={"found": found, "note": "Found by the program."},
        ).save(run)
        text = write_report(run).read_text(encoding="utf-8")
        shown = [image["alt"] for image in Page(text).images]
        assert ("Colours found" in text) is found
        assert sum("blue (1)" in (alt or "") for alt in shown) == found
        assert sum("red (9)" in (alt or "") for alt in shown) == 2 * found


def test_the_page_knows_the_centre_of_each_label(drawn: Path) -> None:
    sheet = Sheet.load(drawn, "latent_map")
    assert sheet is not None
    text = write_report(drawn).read_text(encoding="utf-8")
    data = json.loads(text.split('<script type="application/json">')[1].split("</script>")[0])
    colour = np.array(data["factors"][0]["of"])
    real = np.arange(len(colour)) < len(colour) - data["generated"]
    for name, points in data["maps"].items():
        for value in (0, 1):
            mine = np.array(points)[real & (colour == value)]
            assert data["centres"][name][0][value] == np.median(mine, axis=0).round().tolist()
    # What is called blue and red is drawn in blue and red, which no order of values gives.
    assert data["factors"][0]["values"] == ["blue", "red"]
    blue, red = (bytes.fromhex(code[1:]) for code in data["factors"][0]["colours"])
    assert blue[2] > 2 * blue[0]
    assert red[0] > 2 * red[2]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"pictures": {"frechet": 3}}', "\x00"])
def test_broken_files_cost_their_part_alone(drawn: Path, content: str) -> None:
    for name in ("scores.json", "audit.json"):
        (drawn / name).write_text(content, encoding="utf-8")
    page = Page(write_report(drawn).read_text(encoding="utf-8"))
    assert "reconstructions" in page.ids
    assert len(page.images) > 20


def test_a_run_in_training_reloads_itself_and_shows_its_preview(run: Path) -> None:
    (run / "conditional_diffusion_final").rmdir()
    preview = run / "samples" / "preview.png"
    save_preview(preview, np.zeros((4, 8, 8, 3), np.uint8))
    text = write_report(run).read_text(encoding="utf-8")
    assert 'http-equiv="refresh"' in text
    assert "Latest preview" in text
    assert "Training is still running" in text


def test_folders_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="There is no folder"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(RunFolderError, match="is no run of latentbloom"):
        write_report(tmp_path)


def test_worries_name_what_stands_out(run: Path) -> None:
    assert worries(read_run(run)) == []
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        for k in range(21, 60):
            bad = {"kl": 0.001, "discriminator_accuracy": 0.99, "images": 100 * k}
            file.write(json.dumps({"kind": "train", "stage": "vae_gan", **bad}) + "\n")
        for k, loss in enumerate((0.5, 0.4, 0.5, 0.6)):
            late = {"stage": "diffusion", "images": 3000 + k, "diffusion": loss}
            file.write(json.dumps({"kind": "val", **late}) + "\n")
    found = " ".join(worries(read_run(run)))
    assert "almost no information (KL 0.001" in found
    assert "99% of cases" in found
    assert "memorises" in found


def test_the_card_links_the_figures_that_are_there(drawn: Path) -> None:
    text = write_card(drawn).read_text(encoding="utf-8")
    linked = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert "figures/samples_by_condition.png" in linked
    assert all((drawn / link).is_file() for link in linked)
    assert text.startswith("# my run\n")


def test_words_for_numbers() -> None:
    assert [duration(s) for s in (40, 600, 7500)] == ["40 s", "10 min", "2 h 5 min"]
    assert [plural(n, "picture") for n in (1, 2000)] == ["1 picture", "2,000 pictures"]


def test_edits_have_a_section_with_a_word_under_each(drawn: Path) -> None:
    text = write_report(drawn).read_text(encoding="utf-8")
    section = text.split('id="edits"')[1].split("</section>")[0]
    assert "Real pictures, edited" in section
    sheet = Sheet.load(drawn, "edits")
    assert sheet is not None
    assert section.count("<figcaption>") == len(sheet.pictures) > 0
    assert "<span>colour changed</span>" in section
    (drawn / "figures" / "data" / "edits.json").unlink()
    assert "No real pictures have been edited yet." in write_report(drawn).read_text("utf-8")
