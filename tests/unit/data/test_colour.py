"""Colours found in pictures, against drawings whose colour is known and photographs seen by eye."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentbloom.data.colour import COLOURS, colour_of, colour_points, oklab
from latentbloom.data.sources.rendered import synthetic_flowers

DATA = Path(__file__).parents[2] / "data"
"""flower_colours.webp: 100 photographs of flowers (20 of each of five kinds, drawn by lot) from the
TensorFlow flowers set, at 48 x 48, row by row. flower_colours.csv: their files there, and the
colour that a person named before the program did; two where a person would waver. The prototypes
and weights of `data/colour.py` were chosen on 214 other photographs."""

SIDE = 48

SUBJECTS = {
    "red": (208, 28, 36),
    "orange": (245, 133, 24),
    "yellow": (248, 208, 32),
    "green": (63, 154, 53),
    "blue": (42, 95, 208),
    "purple": (122, 53, 181),
    "pink": (240, 140, 180),
    "brown": (111, 69, 32),
    "white": (244, 244, 244),
    "black": (24, 24, 24),
}
GROUNDS = {
    "paper": (240, 240, 240),
    "slate": (144, 144, 144),
    "grass": (74, 117, 48),
    "night": (16, 16, 16),
    "sky": (143, 191, 238),
    "earth": (107, 81, 56),
}


def disc(ink: tuple[int, ...], paper: tuple[int, ...], radius: float = 0.62) -> np.ndarray:
    """A shaded disc with some noise, uint8 (64, 64, 3)."""
    axis = (np.arange(64) + 0.5) / 32 - 1
    inside = np.hypot(axis[:, None], axis) < radius
    picture = np.where(inside[..., None], ink, paper) * (1 + 0.15 * axis[:, None, None])
    noise = np.random.default_rng(0).normal(0, 8, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("colour", SUBJECTS)
def test_the_subject_wins_over_the_ground(colour: str, ground: str) -> None:
    assert colour_of(disc(SUBJECTS[colour], GROUNDS[ground])) == colour


@pytest.mark.parametrize("ground", ["slate", "grass", "night", "earth"])
@pytest.mark.parametrize(
    ("colour", "ink"),
    [("pink", (224, 186, 214)), ("pink", (246, 209, 233)), ("purple", (205, 190, 238))],
)
def test_a_pale_flower_is_not_white(colour: str, ink: tuple[int, ...], ground: str) -> None:
    assert colour_of(disc(ink, GROUNDS[ground])) == colour


def test_drawn_flowers_have_the_colour_that_they_were_drawn_in() -> None:
    source = synthetic_flowers(seed=11, num_train=360)
    factor = source.spec.factor("colour")
    train = source.entries[:360]
    right = [colour_of(source.read(e, size=SIDE)) == factor.values[e.labels[1]] for e in train]
    assert np.mean(right) >= 0.95


def test_photographs_have_the_colour_that_a_person_names() -> None:
    with Image.open(DATA / "flower_colours.webp") as image:
        sheet = np.asarray(image.convert("RGB"))
    tiles = sheet.reshape(10, SIDE, 10, SIDE, 3).transpose(0, 2, 1, 3, 4).reshape(-1, SIDE, SIDE, 3)
    with (DATA / "flower_colours.csv").open(encoding="utf-8", newline="") as file:
        named = [row["colour"].split("|") for row in csv.DictReader(file)]
    assert len(named) == len(tiles) == 100
    right = [colour_of(tile) in words for tile, words in zip(tiles, named, strict=True)]
    assert sum(right) >= 80


def test_the_mask_says_what_the_subject_is() -> None:
    picture = disc(SUBJECTS["red"], SUBJECTS["green"])
    corner = np.zeros((64, 64), bool)
    corner[:14, :14] = True
    assert colour_of(picture) == "red"
    assert colour_of(picture, corner) == "green"


def test_a_mask_of_next_to_nothing_says_nothing() -> None:
    picture = disc(SUBJECTS["pink"], GROUNDS["grass"])
    assert colour_of(picture, np.zeros((64, 64), bool)) == "pink"


def test_leaves_alone_are_green_and_night_alone_is_black() -> None:
    noise = np.random.default_rng(1).normal(0, 12, (40, 60, 3))
    assert colour_of((np.array(GROUNDS["grass"]) + noise).clip(0, 255).astype(np.uint8)) == "green"
    assert colour_of(np.full((40, 40, 3), 9, np.uint8)) == "black"


def test_grey_pictures_are_white_or_black() -> None:
    assert colour_of(np.full((20, 20, 1), 230, np.uint8)) == "white"
    assert colour_of(np.full((20, 20, 1), 20, np.uint8)) == "black"


def test_a_picture_has_one_name_whatever_its_size_and_its_turn() -> None:
    picture = disc(SUBJECTS["purple"], GROUNDS["earth"])
    large = np.repeat(np.repeat(picture, 5, axis=0), 5, axis=1)
    assert colour_of(large) == colour_of(picture) == colour_of(picture[:, ::-1]) == "purple"
    first, again = colour_points(picture), colour_points(picture)
    assert first.shape == (len(COLOURS),)
    assert (first == again).all()


def test_oklab_of_known_colours() -> None:
    """White and sRGB's primaries, as https://bottosson.github.io/posts/oklab defines the space."""
    given = np.array([[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    wanted = [
        [1.0, 0.0, 0.0],
        [0.62796, 0.22486, 0.12585],
        [0.86644, -0.23389, 0.17950],
        [0.45201, -0.03246, -0.31153],
    ]
    assert oklab(given) == pytest.approx(np.array(wanted), abs=1e-4)
