"""The parts of a set that are trained on to see how many pictures are enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.enough import HEADS, _row, write_part
from latentbloom.config import SourceOptions
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from tiny_run import make_pictures


def test_a_part_has_the_pictures_and_labels_of_its_rows(tmp_path: Path) -> None:
    source = open_source(SourceOptions(source=str(make_pictures(tmp_path / "all"))))
    train = [e for e in source.entries if e.split == "train"]
    images = ImageSet(source, train, size=32, channels=3)
    rows = np.random.default_rng(0).permutation(24)[:18]
    write_part(tmp_path / "part", images, rows, "train")
    write_part(tmp_path / "part", images, np.array([0, 13]), "val")
    found = open_source(SourceOptions(source=str(tmp_path / "part")))
    part = ImageSet(found, [e for e in found.entries if e.split == "train"], size=32, channels=3)
    assert sorted(e.split for e in found.entries) == ["train"] * 18 + ["val"] * 2
    assert sorted(part.labels[:, 0].tolist()) == sorted(images.labels[rows, 0].tolist())
    wanted = {images.images([int(row)]).numpy().tobytes() for row in rows}
    assert {part.images([k]).numpy().tobytes() for k in range(18)} == wanted


def test_a_row_says_how_often_each_picture_was_seen() -> None:
    found = {
        "count": 500, "rarest": 230, "distance": 5.0, "kid": 0.2, "recall": 0.011,
        "precision": 0.7, "as_asked": 0.9, "real_as_asked": 0.88, "copies": [0.004, None],
    }  # fmt: skip
    row = dict(zip(HEADS, _row(found, 64_000), strict=True))
    assert row["times seen"] == "128"
    assert row["as asked"] == "90.0 % (88.0)"
    assert row["copies, by features / latents"] == "0.4 % / -"
