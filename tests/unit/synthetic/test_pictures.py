"""Pictures that the program draws."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from PIL import Image

from latentbloom.data.pixels import fit_square
from latentbloom.data.sources.rendered import synthetic_faces, synthetic_flowers
from latentbloom.errors import SourceError
from latentbloom.synthetic.flowers import COLOURS, SPECIES, render_flower

SOURCES = pytest.mark.parametrize("opened", [synthetic_flowers, synthetic_faces])


@SOURCES
def test_by_default_four_thousand_and_eight_hundred(opened) -> None:
    source = opened()

    assert sum(entry.split == "train" for entry in source.entries) == 4000
    assert sum(entry.split == "val" for entry in source.entries) == 800
    assert len({entry.name for entry in source.entries}) == 4800
    assert source.entries[0].name == "train/000000"
    assert source.entries[0].path is None
    assert source.synthetic


def test_factors() -> None:
    assert synthetic_flowers().spec.names == ("species", "colour")
    assert synthetic_flowers().spec.factor("species").values == SPECIES
    assert synthetic_faces().spec.to_json() == [
        {"name": "smiling", "values": ["no", "yes"]},
        {"name": "glasses", "values": ["no", "yes"]},
    ]


@SOURCES
def test_combinations_are_equally_frequent(opened) -> None:
    source = opened(num_train=360)
    labels = [entry.labels for entry in source.entries if entry.split == "train"]

    counts = {label: labels.count(label) for label in set(labels)}

    assert len(counts) == len(list(source.spec.combinations()))
    assert set(counts.values()) == {360 // len(counts)}


@SOURCES
def test_a_picture_depends_on_seed_and_place_alone(opened) -> None:
    short, long = opened(num_train=40), opened(num_train=400)
    entry = short.entries[7]

    picture = short.read(entry)

    assert entry in long.entries
    np.testing.assert_array_equal(picture, short.read(entry))
    np.testing.assert_array_equal(picture, long.read(entry))
    assert (picture != opened(seed=1).read(entry)).any()


@SOURCES
def test_pictures_differ_between_places_and_splits(opened) -> None:
    source = opened(num_train=100)
    period = len(list(source.spec.combinations()))
    train = [e for e in source.entries if e.split == "train"]
    val = [e for e in source.entries if e.split == "val"]

    same_label = source.read(train[0]), source.read(train[period])
    same_place = source.read(train[0]), source.read(val[0])

    for one, other in (same_label, same_place):
        assert np.abs(one.astype(int) - other).mean() > 8


@SOURCES
@pytest.mark.parametrize("size", [32, 64, 96, 128, 256])
def test_the_scene_is_the_same_at_every_size(opened, size: int) -> None:
    source = opened()
    for entry in source.entries[:6]:
        picture = source.read(entry, size=size)
        assert picture.shape == (size, size, 3)
        assert picture.dtype == np.uint8
        small = fit_square(picture, 32).astype(np.float32)
        reference = fit_square(source.read(entry, size=256), 32).astype(np.float32)
        assert np.abs(small - reference).mean() < 5


@SOURCES
def test_large_pictures_are_drawn_not_enlarged(opened) -> None:
    source = opened()
    entry = source.entries[1]

    small, large = source.read(entry, size=32), source.read(entry, size=128)

    enlarged = np.asarray(Image.fromarray(small).resize((128, 128), Image.Resampling.BICUBIC))
    detail = [np.abs(np.diff(p.astype(np.float32), axis=1)).max() for p in (large, enlarged)]
    assert detail[0] > 1.3 * detail[1]


def test_edges_are_antialiased() -> None:
    """Between petal and wall lie in-between values: no jump takes the whole step at once."""
    source = synthetic_flowers()
    picture = source.read(source.entries[4], size=64)

    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1500


def test_a_negative_seed() -> None:
    with pytest.raises(SourceError, match="seed is -1; 0 or more is allowed"):
        synthetic_flowers(seed=-1)


HUES = {"red": 357.0, "orange": 25.0, "yellow": 50.0, "pink": 333.0, "purple": 273.0}


@pytest.mark.parametrize("species", SPECIES)
@pytest.mark.parametrize("colour", COLOURS)
def test_petals_have_the_colour_of_the_label(species: str, colour: str) -> None:
    """What changes when only the colour's word changes has the hue of that word."""
    other = "purple" if colour in ("yellow", "orange") else "yellow"
    for seed in range(2):
        picture = render_flower(species, colour, np.random.default_rng(seed), 64) / 255.0
        changed = render_flower(species, other, np.random.default_rng(seed), 64) / 255.0
        petals = np.abs(picture - changed).max(axis=2) > 0.25
        assert petals.mean() > 0.04
        red, green, blue = np.median(picture[petals], axis=0)
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        if colour == "white":
            assert saturation < 0.15
            assert value > 0.65
        else:
            apart = abs((hue * 360.0 - HUES[colour] + 180.0) % 360.0 - 180.0)
            assert apart < 16.0
            assert saturation > (0.2 if colour == "pink" else 0.4)


def face_pair(*, smiling: tuple[bool, bool], glasses: tuple[bool, bool], seed: int) -> np.ndarray:
    """Where two faces that share everything else differ, (64, 64) in [0, 1]."""
    from latentbloom.synthetic.faces import render_face

    pictures = [
        render_face(s, g, np.random.default_rng(seed), 64) / 255.0
        for s, g in zip(smiling, glasses, strict=True)
    ]
    return np.abs(pictures[0] - pictures[1]).max(axis=2)


def test_a_smile_changes_the_lower_half_most() -> None:
    change = np.mean(
        [face_pair(smiling=(False, True), glasses=(False, False), seed=s) for s in range(20)],
        axis=0,
    )

    assert change[38:52, 20:44].mean() > 4 * change[:28].mean()
    assert change[38:52, 20:44].mean() > 0.04


def test_glasses_change_the_region_of_the_eyes() -> None:
    for seed in range(20):
        change = face_pair(smiling=(True, True), glasses=(False, True), seed=seed)
        rows = np.flatnonzero((change > 0.2).any(axis=1))
        assert len(rows) >= 4, seed
        assert rows.min() >= 16, seed
        assert rows.max() <= 48, seed
