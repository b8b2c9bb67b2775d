"""The guidance that a run keeps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from latentbloom.config import SamplingSettings
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.evaluate.features.extractor import FeatureExtractor, Features
from latentbloom.evaluate.guidance_choice import Tried, choose_guidance, strongest
from latentbloom.evaluate.measures.kernels import (
    kernel_distance,
    labelled_kernel_distance,
    labelled_kernel_witness,
)
from latentbloom.model.generator import Model

GENERATOR = np.random.default_rng(0)


def test_labels_of_one_kind_double_the_plain_distance() -> None:
    a, b = (GENERATOR.normal(size=(n, 4)) for n in (30, 40))
    same = [np.zeros((n, 1), np.int64) for n in (30, 40)]
    expected = 2 * kernel_distance(a, b)
    assert labelled_kernel_distance(a, same[0], b, same[1]) == pytest.approx(expected)


def test_pictures_of_the_wrong_label_are_far_though_all_together_are_near() -> None:
    def drawn(labels: np.ndarray) -> np.ndarray:
        return 3.0 * labels + GENERATOR.normal(size=(len(labels), 4))

    real_labels, labels = (np.arange(n)[:, None] % 2 for n in (400, 300))
    real = drawn(real_labels)
    right = labelled_kernel_distance(drawn(labels), labels, real, real_labels)
    wrong = labelled_kernel_distance(drawn(1 - labels), labels, real, real_labels)
    assert abs(right) < 0.05 * wrong
    # As a mixture both are the same.
    assert abs(kernel_distance(drawn(1 - labels), real)) < 0.05 * wrong


class Looking(FeatureExtractor):
    """Sees the mean shade of a picture, and spends a tenth of a second on it."""

    def __init__(self) -> None:
        self.now = 0.0

    def pictures_per_second(self, example: torch.Tensor) -> float:
        return 10.0

    @property
    def tag(self) -> str:
        return "shade"

    def extract(self, batches: Any, **_: Any) -> Features:
        shade = torch.cat([b.float().mean((1, 2, 3)) for b in batches])[:, None].numpy() / 64
        self.now += 0.1 * len(shade)
        return Features(shade, np.zeros((len(shade), 1), np.float16))


class Painter:
    """The nearer its guidance is to what it wants, the nearer its pictures are to real ones."""

    def __init__(self, images: ImageSet, wants: float) -> None:
        self.images, self.wants, self.spec = images, wants, images.spec
        self.config = SimpleNamespace(sampling=SamplingSettings(guidance=1.75))
        self.asked: list[float] = []

    def sample(self, words: Any, n: int, seed: int, guidance: float | None = None) -> Any:
        if guidance is not None:
            self.asked.append(guidance)
        off = 40 * abs((guidance or 0.0) - self.wants)
        pictures = self.images.images(range(n)).float() + off
        return SimpleNamespace(pixels=pictures.clamp(0, 255).byte())


@pytest.fixture(scope="module")
def images() -> ImageSet:
    source = open_source("synthetic-faces:300")
    entries = [entry for entry in source.entries if entry.split == "train"]
    return ImageSet(source, entries, size=32, channels=1)


def chosen(painter: Painter, tmp_path: Any, seconds: float = 1e9) -> dict[float, Tried]:
    looking = Looking()
    return choose_guidance(
        cast(Model, painter),
        painter.images,
        seconds=seconds,
        extractor=looking,
        cache=tmp_path,
        clock=lambda: looking.now,
    )


@pytest.mark.parametrize(
    ("wants", "best", "tried"), [(1.0, 1.75, 2), (2.3, 2.27, 3), (9.0, 4.55, 5)]
)
def test_it_climbs_until_the_next_is_worse(
    images: ImageSet, tmp_path: Any, wants: float, best: float, tried: int
) -> None:
    painter = Painter(images, wants)
    found = chosen(painter, tmp_path)
    assert strongest(found) == pytest.approx(best, abs=0.01)
    assert painter.asked == list(found)
    assert len(found) == tried


def test_little_time_tries_two_or_none(images: ImageSet, tmp_path: Any) -> None:
    assert len(chosen(Painter(images, 9.0), tmp_path, seconds=60.0)) == 2
    assert chosen(Painter(images, 9.0), tmp_path, seconds=20.0) == {}


def test_few_pictures_tell_nothing(images: ImageSet, tmp_path: Any) -> None:
    few = ImageSet(images.source, images.entries[:100], size=32, channels=1)
    assert chosen(Painter(few, 9.0), tmp_path) == {}


def test_a_distance_within_its_standard_error_goes_to_the_stronger() -> None:
    calm, shaken = np.zeros(100), GENERATOR.normal(size=100)
    assert strongest({1.75: Tried(1.0, calm), 2.27: Tried(1.1, calm + shaken)}) == 2.27
    assert strongest({1.75: Tried(1.0, calm), 2.27: Tried(1.4, calm + shaken)}) == 1.75
    # What both have in common is no error.
    assert strongest({1.75: Tried(1.0, shaken), 2.27: Tried(1.1, shaken)}) == 1.75


def test_witnesses_tell_how_much_the_difference_of_two_distances_is_off() -> None:
    rng = np.random.default_rng(1)
    real_labels = np.arange(600)[:, None] % 2
    real = 2.0 * real_labels + rng.normal(size=(600, 3))
    differences, errors = [], []
    for _ in range(200):
        labels, noise = rng.integers(0, 2, (80, 1)), rng.normal(size=(80, 3))
        near, far = ((2.0 * labels + off + noise, labels, real, real_labels) for off in (0.3, 0.5))
        differences.append(labelled_kernel_distance(*near) - labelled_kernel_distance(*far))
        apart = labelled_kernel_witness(*near) - labelled_kernel_witness(*far)
        errors.append(2.0 * float(apart.std(ddof=1)) / len(apart) ** 0.5)
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.2)
