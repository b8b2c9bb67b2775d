"""What the classifier learns from when combinations are left out of a model's training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from latentbloom.config import DataSettings
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.evaluate import reference as module
from latentbloom.evaluate.features.extractor import FeatureExtractor
from latentbloom.evaluate.measures.classifier import ConditionClassifier
from latentbloom.evaluate.reference import prepare_reference

PAIR = "species=rose,colour=red"


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return FeatureExtractor(size=32)


def sets(hold_out: str) -> tuple[ImageSet, ImageSet]:
    data = DataSettings(source="synthetic-flowers:300", hold_out=hold_out)
    source = open_source(data, seed=0)
    train, val = (
        ImageSet(source, [e for e in source.entries if e.split == split], size=32, channels=3)
        for split in ("train", "val")
    )
    return train, val


def prepared(
    hold_out: str, extractor: FeatureExtractor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[module.Reference, list[np.ndarray]]:
    """The reference, and the labels that a classifier was trained with, if one was."""
    learned: list[np.ndarray] = []

    def train(features, labels, spec, **_):
        assert len(features) == len(labels)
        learned.append(labels)
        return ConditionClassifier(spec, {"weight": torch.zeros(1)})

    monkeypatch.setattr(module, "train_classifier", train)
    return prepare_reference(*sets(hold_out), extractor=extractor, cache=folder), learned


def test_the_classifier_learns_combinations_that_the_model_does_not(
    extractor: FeatureExtractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        whole, everything = prepared("", extractor, tmp_path, patch)
    reference, learned = prepared(PAIR, extractor, tmp_path, monkeypatch)
    rose_red = tuple(whole.spec.factor(n).index(v) for n, v in whole.spec.parse(PAIR).items())
    assert rose_red in {tuple(row) for row in learned[0].tolist()}
    assert sorted(learned[0].tolist()) == sorted(everything[0].tolist())  # the same pictures
    # What the model is compared with does not have them.
    assert rose_red in whole.seen
    assert rose_red not in reference.seen
    assert len(reference.train) == len(reference.train_names) < len(whole.train)


def test_classifiers_of_other_pictures_are_not_mistaken_for_each_other(
    extractor: FeatureExtractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hold_out in (PAIR, "species=daisy,colour=white"):
        with monkeypatch.context() as patch:
            assert len(prepared(hold_out, extractor, tmp_path, patch)[1]) == 1
    with monkeypatch.context() as patch:
        assert prepared(PAIR, extractor, tmp_path, patch)[1] == []  # kept
    assert len(list((tmp_path / "classifiers").iterdir())) == 2
