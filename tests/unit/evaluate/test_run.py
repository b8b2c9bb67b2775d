"""Scores of a whole model, here one that hands out pictures that a test knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.imageset import ImageSet
from latentbloom.errors import LatentbloomError
from latentbloom.evaluate.features.extractor import FeatureExtractor
from latentbloom.evaluate.features.stored import real_features
from latentbloom.evaluate.measures.intervals import Interval
from latentbloom.evaluate.picture_scores import score_pictures
from latentbloom.evaluate.reference import prepare_reference
from latentbloom.evaluate.run_scores import evaluate_run
from latentbloom.evaluate.score_table import score_rows
from latentbloom.evaluate.scores import CopyingScore, Scores
from latentbloom.evaluate.workload import in_proportion, known_words, top_up


@dataclass(frozen=True)
class Pixels:
    pixels: torch.Tensor
    settings: dict[str, float | str] = field(default_factory=lambda: {"sampler": "memory"})


@dataclass
class Oracle:
    """Hands out real pictures of what is asked, and reconstructs with a known error.

    The error is 2 grey levels everywhere: PSNR is 20 log10(255 / 2) = 42.11 dB.
    """

    pool: ImageSet
    spec: ConditionSpec
    asked: list[dict[str, str]] = field(default_factory=list)
    reconstructs: bool = True

    def reconstruct(self, images: torch.Tensor) -> torch.Tensor:
        step = torch.where(images > 0, -2.0, 2.0) / 127.5
        return images + step

    def sample(
        self,
        cond: Sequence[Mapping[str, str]],
        n: int,
        seed: int,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Pixels:
        if on_progress is not None:
            on_progress(n, n)
        assert len(cond) == n
        self.asked = [dict(one) for one in cond]
        factor = self.pool.spec.factors[0]
        rows = []
        for k, one in enumerate(cond):
            word = one.get(factor.name, "any")
            value = factor.values.index(word) if word in factor.values else k % 2
            of_it = np.flatnonzero(self.pool.labels[:, 0] == value)
            rows.append(int(of_it[k % len(of_it)]))
        return Pixels(self.pool.images(rows))


def short_scores(model: Oracle, train: ImageSet, val: ImageSet) -> Scores:
    return evaluate_run(
        model,
        train,
        val,
        short=True,
        budget_seconds=0.5,
        cache=None,
        extractor=FeatureExtractor(size=48),
    )


@pytest.fixture(scope="module")
def oracle(shapes) -> Oracle:
    pool: ImageSet = shapes("train", (60, 60), start=5000)
    return Oracle(pool, pool.spec)


def test_every_score_is_there(
    oracle: Oracle, train: ImageSet, val: ImageSet, tmp_path: Path
) -> None:
    said: list[str] = []
    scores = evaluate_run(
        oracle,
        train,
        val,
        n=60,
        per_label=40,
        cache=None,
        extractor=FeatureExtractor(size=48),
        on_progress=lambda what, done, total: said.append(what),
    )
    assert scores.reconstruction is not None
    assert scores.reconstruction.psnr.value == pytest.approx(42.11, abs=0.01)
    assert scores.reconstruction.count == len(val)
    assert scores.settings == {"sampler": "memory"}
    assert scores.pictures.frechet.name == "FD@60/efficientnet-lite2/48"
    assert scores.pictures.kernel.value.low < 0.05
    control = scores.pictures.control[0]
    # val has 78 discs and 42 squares: 39 and 21 of 60, and then up to 40 of each.
    assert control.asked == (40, 40)
    assert control.mean.value > 0.9
    assert any("below 2048" in note for note in scores.pictures.notes)
    assert {
        "samples",
        "features of val",
        "features of train",
        "reconstructions",
        "classifier",
    } <= set(said)
    scores.save(tmp_path / "scores.json")
    assert scores.load(tmp_path / "scores.json") == scores


def test_short_scores_stay_inside_their_seconds(
    oracle: Oracle, train: ImageSet, val: ImageSet
) -> None:
    few = short_scores(oracle, train, val)
    assert few.short
    assert few.pictures.samples == 64  # the least that says anything
    assert few.pictures.val == 64


def test_short_scores_time_what_they_will_ask_for(
    oracle: Oracle, train: ImageSet, val: ImageSet
) -> None:
    # A combination that training never showed takes longer than an open condition.
    timed: list[list[dict[str, str]]] = []

    class Remembers(Oracle):
        def sample(self, cond, n, seed, *, on_progress=None) -> Pixels:
            timed.append([dict(one) for one in cond])
            return super().sample(cond, n, seed, on_progress=on_progress)

    short_scores(Remembers(oracle.pool, oracle.spec), train, val)
    assert len(timed[0]) == 32
    name = val.spec.names[0]
    assert {one[name] for one in timed[0]} == set(val.spec.factors[0].values)


@pytest.mark.parametrize(("told", "kind"), [(1.0, "latents"), (0.0, "features")])
def test_of_features_and_latents_the_one_that_finds_more_copies_is_told(
    oracle: Oracle,
    train: ImageSet,
    val: ImageSet,
    monkeypatch: pytest.MonkeyPatch,
    told: float,
    kind: str,
) -> None:
    def by_latents(model, pixels, pictures):
        assert len(pixels) == 60
        assert pictures is train
        share = Interval(value=told, low=0.0, high=1.0)
        return CopyingScore(share=share, threshold=1.0, searched=9, worst=(), measured_by="latents")

    monkeypatch.setattr("latentbloom.evaluate.run_scores.copies_in_latents", by_latents)
    seen: list[str] = []
    scores = evaluate_run(
        oracle,
        train,
        val,
        n=60,
        per_label=40,
        cache=None,
        extractor=FeatureExtractor(size=48),
        on_copies=lambda pixels, copying: seen.append(copying.measured_by),
    )
    assert scores.pictures.copying is not None
    assert scores.pictures.copying.measured_by == kind
    assert seen == [kind]
    (row,) = [r for r in score_rows(scores.pictures, None) if "nearer to train" in r.what]
    assert row.note.endswith(f"searched, by {kind}")


def test_without_an_autoencoder_there_are_no_scores_of_reconstructions(
    oracle: Oracle, train: ImageSet, val: ImageSet
) -> None:
    few = short_scores(replace(oracle, reconstructs=False), train, val)
    assert few.reconstruction is None
    rows = score_rows(few.pictures, few.reconstruction)
    assert not [row for row in rows if "reconstruction" in row.what]
    assert "reconstructions" not in few.seconds


def test_a_second_look_at_real_pictures_is_read_from_disk(
    val: ImageSet, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    looked: list[int] = []

    def look(limit: int | None) -> np.ndarray:
        looked.clear()
        features, _ = real_features(
            val,
            extractor,
            limit=limit,
            cache=tmp_path,
            on_progress=lambda what, done, total: looked.append(done),
        )
        return np.array(features.pooled)

    first = look(50)
    assert looked[-1] == 50
    more = look(None)
    assert looked[-1] == len(val) - 50  # only those that were missing
    np.testing.assert_array_equal(more[:50], first)
    np.testing.assert_array_equal(look(70), more[:70])
    assert looked == []


def test_other_pictures_of_the_same_names_are_looked_at_anew(
    shapes, extractor: FeatureExtractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images: ImageSet = shapes("val", (20, 20))
    first, _ = real_features(images, extractor, cache=tmp_path)
    other: ImageSet = shapes("val", (20, 20))
    grey = np.full((32, 32, 3), 7, np.uint8)
    monkeypatch.setattr(type(other.source), "read", lambda self, entry, size=None: grey)
    second, _ = real_features(other, extractor, cache=tmp_path)
    assert not np.allclose(first.pooled, second.pooled)


def test_a_broken_cache_is_made_anew(shapes, extractor: FeatureExtractor, tmp_path: Path) -> None:
    images: ImageSet = shapes("val", (20, 20))
    first, _ = real_features(images, extractor, cache=tmp_path)
    expected = np.array(first.pooled)
    for path in tmp_path.rglob("pooled-*.npy"):
        os.truncate(path, 200)
    again, _ = real_features(images, extractor, cache=tmp_path)
    np.testing.assert_array_equal(again.pooled, expected)


def test_too_few_held_out_pictures(shapes, train: ImageSet) -> None:
    with pytest.raises(LatentbloomError, match="has 9 held-out pictures; scores need 16 or more"):
        prepare_reference(train, shapes("val", (5, 4)), cache=None)


def test_a_label_that_training_lacks_is_said_and_the_rest_is_scored(
    shapes, oracle: Oracle, val: ImageSet
) -> None:
    discs: ImageSet = shapes("train", (80, 0))
    scores = evaluate_run(oracle, discs, val, n=40, cache=None, extractor=FeatureExtractor(size=48))
    notes = " ".join(scores.pictures.notes)
    assert "val has shape=square, which no training picture has" in notes
    assert "No classifier for 'shape'" in notes
    assert scores.pictures.control == ()
    assert scores.pictures.frechet.value.value > 0
    assert scores.pictures.copying is not None


def test_proportions_are_met_to_within_one() -> None:
    labels = np.repeat([[0, 0], [0, 1], [1, 2]], [10, 30, 60], axis=0)
    for n in (7, 50, 400):
        rows = in_proportion(labels, n, seed=0)
        for row, share in (((0, 0), 0.1), ((0, 1), 0.3), ((1, 2), 0.6)):
            assert abs((rows == row).all(axis=1).sum() - share * n) <= 1


def test_rare_labels_are_topped_up_with_other_factors_left_open() -> None:
    spec = ConditionSpec((Factor("a", ("x", "y")), Factor("b", ("p", "q", "r"))))
    more = top_up(np.array([[0, 0], [0, 1]]), spec, per_label=2)
    assert more.tolist() == [[1, 3], [1, 3], [2, 0], [2, 1], [2, 2], [2, 2]]


def test_words_that_the_model_does_not_know_are_left_open() -> None:
    spec = ConditionSpec((Factor("a", ("x",)),))
    words, notes = known_words([{"a": "x", "b": "q"}, {"a": "z"}], spec)
    assert words == [{"a": "x"}, {}]
    assert "The model knows no a=z" in notes[0]
    assert len(notes) == 2


def test_scores_against_remembered_pictures_are_the_same(
    shapes, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    train: ImageSet = shapes("train", (30, 30))
    val: ImageSet = shapes("val", (15, 15))
    pictures = train.images(range(20))
    first, second = (
        score_pictures(
            pictures,
            train.cond(range(20)),
            prepare_reference(train, val, extractor=extractor, cache=tmp_path),
        )
        for _ in range(2)
    )
    assert first == second
    assert list(tmp_path.rglob("classifier.safetensors"))
