"""The same as test_sanity on photographs: 100 thumbnails of five kinds of flowers, tests/data."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from latentbloom.config import SourceOptions
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.evaluate.features.extractor import FeatureExtractor
from latentbloom.evaluate.picture_scores import score_pictures
from latentbloom.evaluate.reference import Reference, prepare_reference
from latentbloom.evaluate.scores import PictureScores
from score_parts import copied, met

DATA = Path(__file__).parents[2] / "data"
SIDE = 48
Flowers = tuple[ImageSet, ImageSet, ImageSet]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Flowers:
    """Of each kind ten to train on, five held out, and five that a generator might make."""
    folder = tmp_path_factory.mktemp("flowers")
    with Image.open(DATA / "flower_colours.webp") as image:
        sheet = np.asarray(image.convert("RGB"))
    tiles = sheet.reshape(10, SIDE, 10, SIDE, 3).transpose(0, 2, 1, 3, 4).reshape(-1, SIDE, SIDE, 3)
    with (DATA / "flower_colours.csv").open(encoding="utf-8", newline="") as file:
        kinds = [row["file"].split("/")[1] for row in csv.DictReader(file)]
    count: Counter[str] = Counter()
    for tile, kind in zip(tiles, kinds, strict=True):
        part = ("train", "train", "val", "new")[count[kind] % 4]
        place = folder / ("new/train" if part == "new" else f"known/{part}") / kind
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(tile).save(place / f"{count[kind]}.png")
        count[kind] += 1
    known, new = (
        open_source(folder / "known"),
        open_source(SourceOptions(source=str(folder / "new"), val_share=0.0)),
    )

    def images(source, split: str) -> ImageSet:
        entries = [e for e in source.entries if e.split == split]
        return ImageSet(source, entries, size=SIDE, channels=3)

    return images(known, "train"), images(known, "val"), images(new, "train")


@pytest.fixture(scope="module")
def reference(flowers: Flowers) -> Reference:
    return prepare_reference(flowers[0], flowers[1], extractor=FeatureExtractor(), cache=None)


@pytest.fixture(scope="module")
def fresh(flowers: Flowers) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    rows = range(len(flowers[2]))
    return flowers[2].images(rows), flowers[2].cond(rows)


def test_new_photographs_score_as_the_floor(flowers: Flowers, perfect: PictureScores) -> None:
    assert [len(part) for part in flowers] == [50, 25, 25]
    assert perfect.frechet.over_floor == pytest.approx(1.0, abs=0.15)
    assert perfect.kernel.value.low < perfect.kernel.floor.value < perfect.kernel.value.high
    assert met(perfect) > 0.5  # chance is 0.2
    assert copied(perfect) < 0.15
    for name, value in perfect.manifold.items():
        assert value.value == pytest.approx(perfect.manifold_floor[name].value, abs=0.35), name


def test_blur_and_noise_move_distances_and_not_copying(
    fresh, reference: Reference, perfect: PictureScores
) -> None:
    pictures, cond = fresh
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0)) * 40
    blurred = F.avg_pool2d(pictures.float(), 5, 1, 2, count_include_pad=False).round().byte()
    for worse in (blurred, (pictures.float() + noise).clamp(0, 255).byte()):
        scores = score_pictures(worse, cond, reference)
        assert scores.frechet.value.value > 1.1 * perfect.frechet.value.value
        assert scores.kernel.value.low > perfect.kernel.value.value
        assert scores.manifold["recall"].value < perfect.manifold["recall"].value - 0.3
        assert copied(scores) < 0.15


def test_shuffled_labels_move_control_alone(
    fresh, reference: Reference, perfect: PictureScores
) -> None:
    pictures, cond = fresh
    scores = score_pictures(pictures, {"label": cond["label"].roll(7)}, reference)
    assert met(scores) < met(perfect) - 0.3
    same = ("frechet", "kernel", "manifold", "copying")
    assert all(getattr(scores, name) == getattr(perfect, name) for name in same)


def test_one_kind_for_everything_moves_control_recall_and_distances(
    fresh, reference: Reference, perfect: PictureScores
) -> None:
    of_it = [i for i, kind in enumerate(fresh[1]["label"].tolist()) if kind == 3]
    sunflowers = fresh[0][of_it]
    views = [sunflowers.roll(move, (2, 3)) for move in ((0, 0), (3, 0), (0, 3), (-3, 0), (0, -3))]
    scores = score_pictures(torch.cat(views), fresh[1], reference)
    control = scores.control[0]
    assert control.met[3] is not None
    assert control.met[3].value > 0.5
    assert met(scores) < 0.35
    assert scores.frechet.value.value > 1.1 * perfect.frechet.value.value
    assert scores.kernel.value.value > perfect.kernel.value.high
    assert scores.manifold["recall"].value < perfect.manifold["recall"].value - 0.3


def test_copies_of_training_move_copying(flowers: Flowers, reference: Reference) -> None:
    train, rows = flowers[0], range(0, 50, 2)
    scores = score_pictures(train.images(rows), train.cond(rows), reference)
    assert copied(scores) == 1.0
    assert scores.copying is not None
    assert {pair.train for pair in scores.copying.worst} <= {train.entries[r].name for r in rows}
    assert scores.frechet.over_floor == pytest.approx(1.0, abs=0.2)
