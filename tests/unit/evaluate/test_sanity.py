"""What is done to pictures moves the scores that should move, and leaves the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from latentbloom.data.imageset import ImageSet
from latentbloom.evaluate.picture_scores import score_pictures
from latentbloom.evaluate.reference import Reference
from latentbloom.evaluate.scores import PictureScores
from score_parts import copied, met


@pytest.fixture(scope="module")
def fresh(shapes) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """New real pictures in val's proportions: what a perfect generator would draw."""
    images: ImageSet = shapes("train", (78, 42), start=1000)
    order = np.random.default_rng(0).permutation(len(images)).tolist()
    return images.images(order), images.cond(order)


def test_new_real_pictures_score_as_real(perfect: PictureScores) -> None:
    assert perfect.frechet.over_floor == pytest.approx(1.0, abs=0.15)
    limit, real = perfect.frechet.limit, perfect.frechet.limit_floor
    assert limit is not None
    assert real is not None
    assert limit.value < 0.6 * perfect.frechet.value.value
    assert limit.low <= real.value <= limit.high
    assert perfect.kernel.value.low <= perfect.kernel.floor.value <= perfect.kernel.value.high
    assert met(perfect) > 0.9
    assert perfect.control[0].real_mean.value > 0.9
    assert copied(perfect) < 0.05
    assert not any(one.alarm for one in perfect.diversity)
    for name, value in perfect.manifold.items():
        assert value.value == pytest.approx(perfect.manifold_floor[name].value, abs=0.15), name


def test_blur_moves_distances_and_precision(fresh, reference: Reference, perfect) -> None:
    pictures, cond = fresh
    blurred = F.avg_pool2d(pictures.float(), 5, 1, 2, count_include_pad=False).round().byte()
    scores = score_pictures(blurred, cond, reference)
    assert scores.frechet.over_floor > 1.5
    assert scores.kernel.value.low > perfect.kernel.value.high
    assert scores.manifold["precision"].value < perfect.manifold["precision"].value - 0.1
    assert copied(scores) < 0.05


def test_noise_moves_distances_and_not_copying(fresh, reference: Reference, perfect) -> None:
    pictures, cond = fresh
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0)) * 40
    noisy = (pictures.float() + noise).clamp(0, 255).byte()
    scores = score_pictures(noisy, cond, reference)
    assert scores.frechet.over_floor > 1.5
    assert scores.kernel.value.low > perfect.kernel.value.high
    assert copied(scores) < 0.05


def test_shuffled_labels_move_control_alone(fresh, reference: Reference, perfect) -> None:
    pictures, cond = fresh
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(1))
    scores = score_pictures(pictures, {"shape": cond["shape"][order]}, reference)
    assert met(scores) == pytest.approx(0.5, abs=0.15)
    assert scores.frechet == perfect.frechet
    assert scores.kernel == perfect.kernel
    assert scores.manifold == perfect.manifold
    assert scores.copying == perfect.copying


def test_one_class_for_everything_moves_control_recall_and_distances(
    shapes,
    fresh,
    reference: Reference,
    perfect: PictureScores,
) -> None:
    discs = shapes("train", (120, 0), start=2000)
    scores = score_pictures(discs.images(range(120)), fresh[1], reference)
    control = scores.control[0]
    assert control.met[0] is not None
    assert control.met[0].value > 0.9
    assert control.met[1] is not None
    assert control.met[1].value < 0.15
    assert control.confusion[1][0] > 0.85 * control.asked[1]
    assert scores.frechet.over_floor > perfect.frechet.over_floor + 0.2
    assert scores.kernel.value.value > perfect.kernel.value.value
    assert scores.manifold["coverage"].value < perfect.manifold["coverage"].value - 0.1
    assert copied(scores) < 0.05


def test_copies_of_training_move_copying_alone(
    train: ImageSet,
    reference: Reference,
    perfect: PictureScores,
) -> None:
    rows = [*range(78), *range(130, 172)]
    scores = score_pictures(train.images(rows), train.cond(rows), reference)
    assert copied(scores) == 1.0
    assert scores.copying is not None
    assert scores.copying.worst[0].distance == pytest.approx(0.0, abs=1e-2)
    names = {train.entries[row].name for row in rows}
    assert {pair.train for pair in scores.copying.worst} <= names
    assert scores.frechet.over_floor == pytest.approx(1.0, abs=0.15)
    assert met(scores) > 0.9


def test_one_picture_again_and_again_raises_the_alarm(fresh, reference: Reference) -> None:
    pictures, cond = fresh
    same = {k: int((cond["shape"] == k).nonzero()[0]) for k in (0, 1)}
    rows = [same[int(k)] for k in cond["shape"]]
    noise = torch.randint(-3, 4, (len(rows), *pictures.shape[1:]))
    alike = (pictures[rows].int() + noise).clamp(0, 255).byte()
    scores = score_pictures(alike, cond, reference)
    assert [one.alarm for one in scores.diversity] == [True, True]
    assert scores.manifold["recall"].value < 0.2
    assert met(scores) == 1.0


def test_grey_pictures_are_scored_as_equal_channels(fresh, reference: Reference) -> None:
    grey = fresh[0][:8, :1]
    colour = grey.expand(-1, 3, -1, -1)
    np.testing.assert_allclose(
        reference.extractor(grey).pooled, reference.extractor(colour).pooled, rtol=1e-4, atol=1e-5
    )


def test_samples_train_a_classifier_where_their_labels_are_right(
    fresh, reference: Reference
) -> None:
    pictures, cond = fresh
    right, wrong = (
        score_pictures(pictures, {"shape": asked}, reference, train_on_samples=True).control[0]
        for asked in (cond["shape"], 1 - cond["shape"])
    )
    assert right.trained_on_samples is not None
    assert right.trained_on_samples.value > 0.85
    assert wrong.trained_on_samples is not None
    assert wrong.trained_on_samples.value < 0.15
