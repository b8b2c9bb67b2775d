"""Forty factors: 2^40 combinations, which nothing may list, and names that must stay short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.base import FileSource
from latentbloom.data.sources.open import open_source
from latentbloom.figures.draw import DRAWINGS, draw_scene
from latentbloom.figures.maps.latent_points import combination
from latentbloom.figures.scene import AnimationSettings, Scene
from latentbloom.pictures.images import read_picture
from latentbloom.report.page import write_report
from picture_files import tree
from shown_run import make_run, untrained_model

FACTORS = tuple(Factor(f"attribute {k}", ("no", "yes")) for k in range(40))
MOST_LISTED = 100


@pytest.fixture
def few_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Combinations that end the test when more than a few are taken."""
    whole = ConditionSpec.combinations

    def counted(self: ConditionSpec) -> Iterator[dict[str, str]]:
        for count, words in enumerate(whole(self)):
            assert count < MOST_LISTED, "the combinations of all values are listed"
            yield words

    monkeypatch.setattr(ConditionSpec, "combinations", counted)


@pytest.mark.usefixtures("few_listed")
def test_every_drawing_of_forty_factors_takes_few_combinations(tmp_path: Path) -> None:
    tree(tmp_path / "pictures", {"a": 20, "b": 20}, size=32)
    source = open_source(str(tmp_path / "pictures"))
    assert isinstance(source, FileSource)
    rng = np.random.default_rng(0)
    entries = tuple(
        replace(entry, labels=tuple(rng.integers(0, 2, 40).tolist())) for entry in source.entries
    )
    images = ImageSet(
        replace(source, spec=ConditionSpec(FACTORS), entries=entries), entries, size=32, channels=3
    )
    model = untrained_model(images)
    run = make_run(tmp_path / "run", model)
    missing: dict[str, str] = {}
    drawn: dict[str, list[Path]] = {}
    scene = Scene(run, model, None, images, animation=AnimationSettings(frames=3))
    draw_scene(
        scene,
        on_missing=missing.__setitem__,
        on_drawn=lambda name, files, seconds: drawn.__setitem__(name, files),
    )
    assert missing.keys() == {"colours"}
    assert drawn.keys() == DRAWINGS.keys() - {"colours"}
    files = [path for paths in drawn.values() for path in paths]
    assert len(set(files)) == len(files)
    assert max(len(path.name.encode()) for path in files) < 200
    # A row's words take no more room than its picture, so that they do not run into the next row.
    grid = read_picture(run / "figures" / "neighbours.png")
    assert grid.shape[0] < 3000
    assert "could not be made" not in write_report(run).read_text(encoding="utf-8")


def test_a_combination_is_known_by_its_number_without_the_others() -> None:
    small = ConditionSpec((Factor("a", ("x", "y")), Factor("b", ("1", "2", "3"))))
    assert [combination(small, k) for k in range(6)] == list(small.combinations())
    many = ConditionSpec(tuple(Factor(f"f{k}", ("no", "yes")) for k in range(80)))
    last = combination(many, 2**80 - 1)
    assert set(last.values()) == {"yes"}
