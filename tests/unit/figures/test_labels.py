"""Labels of figures: any script, any length, and a file name for each condition."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageFont

from latentbloom.conditions import Factor
from latentbloom.figures.maps.latent_map import _figure, legend_lines
from latentbloom.pictures import fonts
from latentbloom.pictures.fonts import (
    drawable,
    font,
    matplotlib_text,
    one_line,
    say_what_is_missing,
    shortened_label,
)
from latentbloom.pictures.grids import picture_grid

CHINESE, ARABIC, KOREAN, JAPANESE, EMOJI = "玫瑰", "ڟ\U00010e80", "장미", "ばら", "🌹"
SCRIPTS = [CHINESE, KOREAN, JAPANESE, EMOJI, ARABIC]


def make_font(path: Path, characters: str, name: str) -> Path:
    """A font whose every glyph is a full block."""
    pen = TTGlyphPen(None)
    for k, corner in enumerate(((0, 0), (0, 700), (900, 700), (900, 0))):
        (pen.moveTo if k == 0 else pen.lineTo)(corner)
    pen.closePath()
    glyphs = {f"g{ord(c):x}": c for c in sorted(set(characters + " aert"))}
    block = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *glyphs])
    builder.setupCharacterMap({ord(c): glyph for glyph, c in glyphs.items()})
    builder.setupGlyf({glyph: block for glyph in (".notdef", *glyphs)})
    builder.setupHorizontalMetrics({glyph: (1000, 0) for glyph in (".notdef", *glyphs)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": name, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)
    return path


def file_of(text: str) -> str:
    found = font(15, text=text)
    assert isinstance(found, ImageFont.FreeTypeFont)
    return str(found.path)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """A machine with the fonts of this list, and none at first."""
    found: list[Path] = []
    monkeypatch.setattr(fonts, "_system_fonts", lambda: tuple(map(str, found)))
    monkeypatch.setattr(fonts, "_told", set())
    for cached in (fonts._font_file, fonts.font):
        cached.cache_clear()
    yield found
    for cached in (fonts._font_file, fonts.font):
        cached.cache_clear()


@pytest.mark.parametrize("text", SCRIPTS)
@pytest.mark.usefixtures("machine")
def test_without_a_font_there_are_code_points_and_one_sentence(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        say_what_is_missing([text, f"{text} too", "plain"])
        say_what_is_missing([text])
    (said,) = caplog.messages
    assert said.startswith("No font on this machine has ")
    assert text[-1] in said
    shown = drawable(text)
    assert f"{ord(text[-1]):x}" in shown
    assert all(ord(c) < 0x10000 for c in shown)
    assert file_of(shown).endswith("DejaVuSans.ttf")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture_grid(np.zeros((2, 8, 8, 3), np.uint8), rows=2, row_labels=[text, "b"], title=text)


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_font_of_the_system_that_has_them_is_used(
    tmp_path: Path, machine: list[Path], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    machine.append(make_font(tmp_path / "other.ttf", "xyz", "Other"))
    machine.append(make_font(tmp_path / "has.ttf", text, "Has Them"))

    with caplog.at_level(logging.WARNING):
        say_what_is_missing([text])
    assert caplog.messages == []
    assert drawable(text) == text
    assert file_of(text) == str(tmp_path / "has.ttf")
    assert file_of("été").endswith("DejaVuSans.ttf")
    blank = np.full((1, 8, 8, 3), 255, np.uint8)
    grid = picture_grid(blank, rows=1, row_labels=[text], scale=8)
    # Full blocks of the size of the label's letters: no other font draws them.
    assert (grid < 100).all(axis=-1).sum() > 60 * len(text)


def test_matplotlib_draws_what_is_asked_without_a_warning(
    tmp_path: Path, machine: list[Path]
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    machine.append(make_font(tmp_path / "has.ttf", CHINESE, "Has Them Too"))
    labels = [CHINESE, "price $5$ x_$", "$a_$", r"\frac{", EMOJI, "_hidden"]
    shown = [drawable(label) for label in labels]
    assert shown[0] == CHINESE
    assert shown[4] == "\\U01f339"
    with warnings.catch_warnings(), matplotlib_text(shown):
        warnings.simplefilter("error")
        figure = Figure()
        canvas = FigureCanvasAgg(figure)
        for k, label in enumerate(shown):
            figure.text(0.1, 0.1 * k, label)
        canvas.draw()


@pytest.mark.usefixtures("machine")
def test_joiners_that_no_font_has_are_left_out() -> None:
    assert drawable("a\ufe0f\u200db") in ("ab", "a\ufe0f\u200db", "a\u200db")
    assert "\\u" not in drawable("👩\u200d🌾").replace("\\U", "")


def test_long_labels_keep_both_ends() -> None:
    assert shortened_label("w" * 300 + "1") == "w" * 12 + "…" + "w" * 10 + "1"
    assert shortened_label("not_smiling_young") == "not_smiling_young"
    long = " ".join(f"word{k}" for k in range(60))
    assert one_line(long, 24).startswith("word0 ")
    assert one_line(long, 24).endswith("word59")
    assert len(one_line(long, 24)) == 24


@pytest.mark.parametrize(
    "text", ["w" * 300, "a photograph of " * 20, "不" * 200, "a" * 40 + "é" * 99]
)
def test_a_figure_with_long_labels_is_no_wider_than_its_pictures_need(text: str) -> None:
    pictures = np.zeros((4, 32, 32, 3), np.uint8)
    grid = picture_grid(
        pictures,
        rows=2,
        row_labels=[f"{text}1", f"{text}2"],
        col_labels=[text, text],
        captions=[text] * 4,
        title=text,
        note=text,
    )
    plain = picture_grid(pictures, rows=2, row_labels=["a", "b"], title="t")
    assert grid.shape[1] < plain.shape[1] + 420
    assert grid.shape[0] < plain.shape[0] + 700


@pytest.mark.parametrize("text", ["w" * 300, "a photograph of " * 20, "不" * 60])
def test_rows_that_differ_at_their_end_have_labels_that_differ(text: str) -> None:
    pictures = np.zeros((2, 32, 32, 3), np.uint8)
    first, second = (
        picture_grid(pictures, rows=2, row_labels=[text, f"{text}{end}"]) for end in ("1", "2")
    )
    assert first.shape == second.shape
    assert (first != second).any()


@pytest.mark.parametrize("count", [2, 20])
def test_a_map_with_long_names_keeps_its_room_and_warns_of_nothing(
    tmp_path: Path, count: int
) -> None:
    factor = Factor("label", tuple(f"_{'a long name ' * 9}{k} $x_" for k in range(count)))
    points = np.random.default_rng(0).normal(size=(10 * count, 2)).astype(np.float32)
    labels = np.arange(10 * count)[:, None] % count
    with warnings.catch_warnings(), matplotlib_text(factor.values):
        warnings.simplefilter("error")
        path = _figure(
            tmp_path / "map.png",
            {"PCA": points},
            [factor],
            ["label"],
            labels,
            labels[:, 0] < 0,
            ".",
        )
    pixels = np.asarray(Image.open(path))
    assert pixels.shape[1] == 1320
    # The frame of the map still has most of the figure's height: its left line is that long.
    frame = (np.abs(pixels[..., :3].astype(int) - (0xDF, 0xE4, 0xE8)).max(axis=-1) < 12).sum(axis=0)
    assert frame.max() > 0.4 * pixels.shape[0]
    assert legend_lines(factor) == -(-count // 2)
