"""Shards of very many samples: the same files whoever makes them, and nothing is made twice."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentbloom.data.sources.open import open_source
from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.model import sample_shards
from latentbloom.model.generator import Model
from latentbloom.model.sample_shards import Shard, sample_shard
from shown_run import coloured_pictures, open_splits, untrained_model

QUICK = {"num_steps": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return untrained_model(open_splits(coloured_pictures(tmp_path_factory.mktemp("data")))["train"])


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_shards, "GROUP", 4)


def make(model: Model, folder: Path, shard: str = "1/1", n: int = 10, **other: Any) -> int:
    asked: dict[str, Any] = {"cond": {}, "seed": 3, "settings": QUICK} | other
    return sample_shard(model, folder, Shard.parse(shard), n=n, **asked)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.tar"))}


def stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_shards_make_the_same_files_as_one_worker(model: Model, tmp_path: Path) -> None:
    assert make(model, tmp_path / "one") == 10
    assert [make(model, tmp_path / "many", f"{i}/3") for i in (3, 1, 2)] == [2, 4, 4]
    assert contents(tmp_path / "one") == contents(tmp_path / "many")
    assert list(contents(tmp_path / "one")) == [
        "seed3_000000000-000000003.tar",
        "seed3_000000004-000000007.tar",
        "seed3_000000008-000000009.tar",
    ]


def test_a_picture_is_the_one_that_sample_makes(model: Model, tmp_path: Path) -> None:
    make(model, tmp_path)
    with tarfile.open(tmp_path / "seed3_000000004-000000007.tar") as tar:
        assert tar.getnames()[:2] == ["000000004.png", "000000004.json"]
        picture, about = (tar.extractfile(f"000000005.{kind}") for kind in ("png", "json"))
        assert picture is not None
        assert about is not None
        pixels = np.asarray(Image.open(io.BytesIO(picture.read())))
        assert json.loads(about.read()) == {"cond": {}, "seed": 3, "index": 5}
    alone = model.sample(seed=3, indices=[5], **QUICK)[0].image
    assert np.array_equal(pixels, alone if pixels.ndim == 3 else alone[..., 0])


def test_files_that_exist_are_skipped_and_a_stopped_one_is_made_again(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(model, tmp_path)
    whole = contents(tmp_path)
    (tmp_path / "seed3_000000004-000000007.tar").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            make(model, tmp_path)
    assert len(contents(tmp_path)) == 2  # nothing half written
    said: list[tuple[str, bool]] = []
    assert make(model, tmp_path, on_file=lambda path, new: said.append((path.name, new))) == 4
    assert [new for _, new in said] == [False, True, False]
    assert contents(tmp_path) == whole


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"cond": {"label": "red"}}, "another cond"),
        ({"seed": 4}, "another seed"),
        ({"settings": {"num_steps": 3}}, "another num_steps"),
        ({"settings": QUICK | {"guidance": 3.0}}, "another guidance"),
    ],
)
def test_a_folder_holds_samples_of_one_kind(
    model: Model, tmp_path: Path, other: dict[str, Any], message: str
) -> None:
    make(model, tmp_path, n=1)
    with pytest.raises(RunFolderError, match=message):
        make(model, tmp_path, n=1, **other)


def test_the_files_are_a_source(model: Model, tmp_path: Path) -> None:
    values = model.spec.factors[0].values[:2]
    for value in values:
        make(model, tmp_path / value, cond={model.spec.factors[0].name: value})
    source = open_source(f"wds:{tmp_path}/*/*.tar")
    assert len(source.entries) == 20
    assert source.spec.factor(model.spec.factors[0].name).values == values
    for entry in source.entries[:2]:
        picture = model.sample(
            {model.spec.factors[0].name: entry.name.split("/")[0]},
            seed=3,
            indices=[int(entry.name.split("/")[-1])],
            **QUICK,
        )[0]
        assert np.array_equal(source.read(entry), picture.image)


@pytest.mark.parametrize("text", ["5/4", "0/4", "1", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_a_shard_is_one_of_so_many(text: str) -> None:
    with pytest.raises(ConfigError, match="from 1 to the count"):
        Shard.parse(text)
