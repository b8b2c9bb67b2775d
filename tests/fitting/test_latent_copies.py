"""Copies of training pictures are found among the latents of a run."""

from __future__ import annotations

import pytest
from rich.console import Console

from latentbloom.data.imageset import ImageSet
from latentbloom.evaluate.measures.latent_copies import copies_in_latents
from latentbloom.evaluate.run_sets import sets_of_run
from latentbloom.fitting.pipeline import fit
from latentbloom.model.generator import Model, load
from latentbloom.runs.folder import RunFolder
from tiny_run import TINY, make_pictures


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, ImageSet, ImageSet]:
    folder = tmp_path_factory.mktemp("copies")
    pictures = make_pictures(folder / "pictures")
    with pytest.MonkeyPatch.context() as patch:
        for part in ("_score", "_pictures"):
            patch.setattr(f"latentbloom.fitting.finish.{part}", lambda *_: True)
        fit(pictures, out=folder / "run", overrides=TINY, console=Console(quiet=True))
    train, val = sets_of_run(RunFolder(folder / "run"))
    return load(folder / "run", full_precision=True), train, val


@pytest.mark.parametrize("mirrored", [False, True])
def test_training_pictures_and_their_mirror_images_are_copies(
    trained: tuple[Model, ImageSet, ImageSet], mirrored: bool
) -> None:
    model, train, _ = trained
    pixels = train.images([3, 17, 5])
    found = copies_in_latents(model, pixels.flip(3) if mirrored else pixels, train)
    assert found is not None
    assert found.share.value == 1.0
    assert found.measured_by == "latents"
    assert found.searched == len(train)
    names = {pair.sample: pair.train for pair in found.worst}
    assert names == {k: train.entries[row].name for k, row in enumerate((3, 17, 5))}
    assert all(pair.distance < 0.1 * found.threshold for pair in found.worst)


def test_held_out_pictures_are_no_copies(trained: tuple[Model, ImageSet, ImageSet]) -> None:
    model, train, val = trained
    found = copies_in_latents(model, val.images(range(len(val))), train)
    assert found is not None
    assert found.share.value <= 1 / len(val)


def test_without_latents_of_these_pictures_there_is_no_score(
    trained: tuple[Model, ImageSet, ImageSet],
) -> None:
    model, train, val = trained
    assert copies_in_latents(model, val.images([0]), val) is None
    assert copies_in_latents(object(), val.images([0]), train) is None
    assert copies_in_latents(model, val.images([]), train) is None
