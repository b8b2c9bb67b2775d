"""Small made pictures for tests of scores: discs and squares of many colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.imageset import ImageSet
from latentbloom.data.listed.entry import Split
from latentbloom.data.reading import Picture
from latentbloom.data.sources.base import Entry, ReadAs, SetAside
from latentbloom.evaluate.features.extractor import FeatureExtractor
from latentbloom.evaluate.picture_scores import score_pictures
from latentbloom.evaluate.reference import Reference, prepare_reference
from latentbloom.evaluate.scores import PictureScores

Shapes = Callable[..., ImageSet]

SPEC = ConditionSpec((Factor("shape", ("disc", "square")),))
SIDE = 32


def draw(shape: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (32, 32, 3): a disc (0) or a square (1) of random place, size and colours."""
    y, x = np.mgrid[:SIDE, :SIDE]
    centre, radius = rng.uniform(11, 21, 2), rng.uniform(6, 10)
    dy, dx = y - centre[0], x - centre[1]
    inside = np.hypot(dy, dx) < radius if shape == 0 else np.maximum(abs(dy), abs(dx)) < radius
    ink, paper = rng.uniform(90, 255, 3), rng.uniform(0, 130, 3)
    picture = np.where(inside[..., None], ink, paper) + rng.normal(0, 6, (SIDE, SIDE, 3))
    return picture.clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Drawn:
    """A source whose picture depends on its name alone."""

    entries: tuple[Entry, ...]
    spec: ConditionSpec = SPEC
    name: str = "shapes"
    synthetic: bool = True
    treatment: str = ""
    layout: str = ""
    notes: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    readings: tuple[ReadAs, ...] = ()

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        raise NotImplementedError

    def stamp(self, entry: Entry) -> tuple[int, int]:
        return (0, 0)

    def files(self, entry: Entry) -> tuple[Path, ...]:
        return ()

    def read(self, entry: Entry, *, size: int | None = None) -> np.ndarray:
        shape, number = (int(part) for part in Path(entry.name).stem.split("-"))
        return draw(shape, np.random.default_rng([shape, number, entry.split == "val"]))


def make_shapes(split: Split, counts: tuple[int, int], *, start: int = 0) -> ImageSet:
    """So many discs and squares; another `start` gives other pictures."""
    entries = tuple(
        Entry(f"{split}/{shape}-{start + k}.png", (shape,), split)
        for shape, count in enumerate(counts)
        for k in range(count)
    )
    return ImageSet(Drawn(entries), entries, size=SIDE, channels=3)


@pytest.fixture(scope="session")
def shapes() -> Shapes:
    return make_shapes


@pytest.fixture(scope="session")
def extractor() -> FeatureExtractor:
    return FeatureExtractor(size=48)


@pytest.fixture(scope="session")
def train() -> ImageSet:
    return make_shapes("train", (130, 70))


@pytest.fixture(scope="session")
def val() -> ImageSet:
    return make_shapes("val", (78, 42))


@pytest.fixture(scope="session")
def reference(train: ImageSet, val: ImageSet, extractor: FeatureExtractor) -> Reference:
    return prepare_reference(train, val, extractor=extractor, cache=None)


@pytest.fixture(scope="module")
def perfect(fresh, reference: Reference) -> PictureScores:
    """Scores of `fresh`, new real pictures and their labels, which a module makes."""
    pictures, cond = fresh
    return score_pictures(pictures, cond, reference)
