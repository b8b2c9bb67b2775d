"""Samples read back from tar files, and their scores."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from latentbloom.data.imageset import ImageSet
from latentbloom.errors import RunFolderError
from latentbloom.evaluate.features.extractor import FeatureExtractor
from latentbloom.evaluate.picture_scores import score_pictures
from latentbloom.evaluate.reference import prepare_reference
from latentbloom.evaluate.run_scores import evaluate_run
from latentbloom.model import sample_shards
from latentbloom.model.generator import Model
from latentbloom.model.sample_shards import Shard, sample_shard
from latentbloom.model.sample_tars import read_samples
from shown_run import SIZE, coloured_pictures, open_splits, untrained_model

QUICK = {"num_steps": 2}


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ImageSet]:
    return open_splits(coloured_pictures(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def model(sets: dict[str, ImageSet]) -> Model:
    return untrained_model(sets["train"])


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_shards, "GROUP", 4)


def make(model: Model, folder: Path, shard: str, n: int, colour: str) -> None:
    cond = {"colour": colour}
    sample_shard(model, folder, Shard.parse(shard), cond=cond, n=n, seed=3, settings=QUICK)


@pytest.mark.slow
def test_scores_of_tars_are_those_from_memory(
    model: Model, sets: dict[str, ImageSet], tmp_path: Path
) -> None:
    for colour in ("red", "blue"):
        for shard in ("2/2", "1/2"):
            make(model, tmp_path / colour, shard, 10, colour)
    found = read_samples(tmp_path, size=SIZE, channels=3)
    words = [{"colour": colour} for _ in range(10) for colour in ("blue", "red")]
    assert found.cond == words
    numbers = [k for k in range(10) for _ in range(2)]
    memory = model.sample(words, seed=3, indices=numbers, **QUICK)
    assert torch.equal(found.pixels, memory.pixels)
    assert found.settings["num_steps"] == 2
    assert found.notes == ()

    extractor = FeatureExtractor(size=32)
    reference = prepare_reference(sets["train"], sets["val"], extractor=extractor, cache=None)
    scores = evaluate_run(model, sets["train"], sets["val"], reference=reference, samples=found)
    cond = sets["val"].spec.encode({}, 20)
    cond["colour"] = torch.tensor([0, 1] * 10)
    expected = score_pictures(memory.pixels, cond, reference, train_on_samples=True)
    assert scores.pictures.model_copy(update={"notes": expected.notes}) == expected
    assert scores.pictures.samples == 20
    (control,) = scores.pictures.control
    assert control.factor == "colour"
    assert control.asked == (10, 10)
    # Held-out pictures are high and low; the samples were not asked for either.
    assert any("100% of the samples were asked for height=any" in n for n in scores.pictures.notes)
    assert scores.settings == found.settings


def test_gaps_repeats_and_limits_are_said(model: Model, tmp_path: Path) -> None:
    make(model, tmp_path, "1/2", 10, "red")  # 0 to 3, and 8 and 9
    found = read_samples(tmp_path, size=SIZE, channels=3, most=5)
    assert len(found.cond) == len(found.pixels) == 5
    assert found.notes == (
        f"{tmp_path} lacks 4 of the pictures up to number 9: a shard is missing or has not ended.",
        "5 of 6 samples are scored.",
    )
    whole = tmp_path / "seed3_000000000-000000003.tar"
    (tmp_path / "copy.tar").write_bytes(whole.read_bytes())
    assert (
        "4 samples are in two files, and count once."
        in read_samples(tmp_path, size=SIZE, channels=3).notes
    )


def test_more_pictures_replace_the_file_that_held_fewer(model: Model, tmp_path: Path) -> None:
    for n in (10, 11, 10):
        make(model, tmp_path, "1/1", n, "red")
    assert sorted(path.name for path in tmp_path.glob("*.tar")) == [
        "seed3_000000000-000000003.tar",
        "seed3_000000004-000000007.tar",
        "seed3_000000008-000000010.tar",
    ]
    found = read_samples(tmp_path, size=SIZE, channels=3)
    assert (len(found.pixels), found.notes) == (11, ())


def broken(folder: Path, what: str) -> None:
    png = io.BytesIO()
    from PIL import Image

    Image.fromarray(np.zeros((SIZE * 2, SIZE * 2, 3), np.uint8)).save(png, "PNG")
    files = {
        "empty": {},
        "cut": {},
        "words": {"0.json": b"{"},
        "index": {"0.json": b'{"index": "a", "cond": {}}'},
        "lost": {"0.json": b'{"index": 0, "cond": {}}'},
        "pixels": {"0.json": b'{"index": 0, "cond": {}}', "0.png": b"no picture"},
        "size": {"0.json": b'{"index": 0, "cond": {}}', "0.png": png.getvalue()},
    }[what]
    with tarfile.open(folder / "a.tar", "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    if what == "cut":
        (folder / "a.tar").write_bytes(b"no tar at all" * 100)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("empty", "holds no samples"),
        ("cut", "cannot be read"),
        ("words", "describes no sample"),
        ("index", "no whole number"),
        ("lost", "has a 0.json and no 0.png"),
        ("pixels", "cannot be decoded"),
        ("size", "samples of another run"),
    ],
)
def test_what_is_no_sample_is_named(tmp_path: Path, what: str, message: str) -> None:
    broken(tmp_path, what)
    with pytest.raises(RunFolderError, match=message):
        read_samples(tmp_path, size=SIZE, channels=3)


def test_an_empty_folder_says_what_makes_tars(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no tar file of samples"):
        read_samples(tmp_path, size=SIZE, channels=3)
