"""The real side of every comparison: features, a classifier and floors, prepared once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from latentbloom.conditions import ConditionSpec
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.holdout import HeldOutSource
from latentbloom.errors import LatentbloomError
from latentbloom.evaluate.features.extractor import FeatureExtractor, Features, Progress
from latentbloom.evaluate.features.stored import real_features, set_key
from latentbloom.evaluate.measures.classifier import (
    RECIPE,
    ConditionClassifier,
    train_classifier,
    unlearnable,
)
from latentbloom.evaluate.measures.distances import frechet_distance, frechet_limit
from latentbloom.evaluate.measures.intervals import Interval
from latentbloom.evaluate.measures.kernels import kernel_distance
from latentbloom.evaluate.measures.neighbours import Manifolds
from latentbloom.evaluate.reference_notes import MIN_VAL, label_notes, too_few
from latentbloom.sharing import ALONE, Group
from latentbloom.storage.files import cache_folder, spare_cache

MAX_TRAIN = 20_000
"""The most training pictures that are used: more cost minutes and change little."""

FLOOR_DRAWS = 4
MEASURES = {
    "frechet": frechet_distance,
    "extrapolated": frechet_limit,
    "kernel": kernel_distance,
}


@dataclass
class Reference:
    """Real pictures as the scores need them.

    Arguments:
        extractor: The network.
        spec: The factors.
        val: Features of the real pictures that samples are compared with, in shuffled order:
            held-out ones, or those of another source.
        val_indices: Their indices in the set.
        val_labels: int64 (N, factors).
        train: Features of training pictures, in shuffled order.
        train_names: Their names.
        classifier: None where the labels cannot be learned.
        seen: Combinations of labels that training pictures have.
        notes: What is missing, in sentences.
        seconds: How long it took to prepare this.
        held_out: Features of the run's held-out pictures, where `val` is another source; they say
            how near to the training pictures new ones are. Empty where there are none.
    """

    extractor: FeatureExtractor
    spec: ConditionSpec
    val: Features
    val_indices: np.ndarray
    val_labels: np.ndarray
    train: Features
    train_names: tuple[str, ...]
    classifier: ConditionClassifier | None
    seen: frozenset[tuple[int, ...]] = frozenset()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    held_out: Features | None = None
    _floors: dict[tuple[str, int], Interval] = field(default_factory=dict)

    def floor(self, kind: str, n: int) -> Interval:
        """Distance of n real training pictures to val: mean, minimum and maximum of some draws.

        Without training pictures, one half of val is compared with the other.

        Arguments:
            kind: Key of `MEASURES`.
            n: How many; all of them when there are fewer.
        """
        real, val = self._real_sets()
        n = min(n, len(real))
        if (kind, n) not in self._floors:
            measure = MEASURES[kind]
            generator = np.random.default_rng(0)
            draws = 1 if n == len(real) else FLOOR_DRAWS
            found = [
                measure(real[np.sort(rows)], val)
                for rows in (generator.permutation(len(real))[:n] for _ in range(draws))
            ]
            self._floors[kind, n] = Interval(
                value=float(np.mean(found)), low=min(found), high=max(found)
            )
        return self._floors[kind, n]

    def manifold_floor(self, n: int) -> dict[str, Interval]:
        """Precision, recall, density and coverage of n real training pictures."""
        real, val = self._real_sets()
        return Manifolds.of(real[:n], val).scores()

    def _real_sets(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of two sets of real pictures, whose distance is the floor."""
        if len(self.train):
            return self.train.pooled, self.val.pooled
        half = len(self.val) // 2
        return self.val.pooled[:half], self.val.pooled[half:]


def prepare_reference(
    train: ImageSet,
    val: ImageSet,
    *,
    max_train: int = MAX_TRAIN,
    max_val: int | None = None,
    held_out: ImageSet | None = None,
    extractor: FeatureExtractor | None = None,
    cache: Path | str | None = "user",
    on_progress: Progress | None = None,
    group: Group = ALONE,
) -> Reference:
    """Extract the features of real pictures and train the classifier.

    The classifier also learns from the combinations that were left out of the model's training.
    Else it would know them as little as the model that it checks.

    Arguments:
        train: Training pictures; may be empty, then copies are not searched and there is no
            classifier.
        val: Pictures to compare with: held-out ones, or those of another source.
        max_train: How many training pictures to use.
        max_val: How many held-out pictures to use; None means all.
        held_out: The held-out pictures, where `val` is another source; None where it is not.
        extractor: The network; made when left out.
        cache: Folder of stored features and classifiers; "user" is the user's cache folder, None
            stores nothing.
        on_progress: Called with the name of a part, how much of it is done, and its total.
        group: Processes that share the work; all call this.

    Raises:
        LatentbloomError: There are too few held-out pictures to compare with.
    """
    if len(val) < MIN_VAL:
        raise LatentbloomError(too_few(val, other=held_out is not None))
    began = time.perf_counter()
    folder = cache_folder() if cache == "user" else (None if cache is None else Path(cache))
    extractor = extractor or FeatureExtractor()
    features_of = partial(
        real_features, extractor=extractor, cache=folder, on_progress=on_progress, group=group
    )
    val_features, val_rows = features_of(val, limit=max_val, text="features of val")
    if not len(train):
        return _without_training(train, val, val_features, val_rows, extractor, began)
    train_features, train_rows = features_of(
        train, limit=min(max_train, MAX_TRAIN), text="features of train"
    )
    unseen = None if held_out is None else val_features[:0]
    if held_out is not None and len(held_out) >= MIN_VAL:
        unseen, _ = features_of(held_out, text="features of held-out pictures")
    learned, labels, key = train_features, train.labels[train_rows], set_key(train, extractor)
    left_out = _left_out(train)
    if left_out is not None:
        more, rows = features_of(
            left_out, limit=MAX_TRAIN, text="features of left-out combinations"
        )
        learned = Features.cat([learned, more])
        labels = np.concatenate([labels, left_out.labels[rows]])
        key += f"-{set_key(left_out, extractor)}"
    notes = list(label_notes(train, val, train_rows, val_rows))
    classifier = None
    place = None
    if folder is not None:
        place = folder / "classifiers" / f"{key}-{len(learned)}-{RECIPE}"
        classifier = ConditionClassifier.load(place) if group.first else None
    unknown = unlearnable(labels, train.spec)
    notes += unknown.values()
    if classifier is None and group.first and len(unknown) < len(train.spec.factors):
        classifier = train_classifier(learned, labels, train.spec, on_progress=on_progress)
        if place is not None:
            with spare_cache():
                classifier.save(place)
    classifier = group.same(classifier)
    return Reference(
        extractor=extractor,
        spec=train.spec,
        val=val_features,
        val_indices=val_rows,
        val_labels=val.labels[val_rows],
        train=train_features,
        train_names=tuple(train.entries[row].name for row in train_rows),
        classifier=classifier,
        seen=frozenset(tuple(row) for row in np.unique(train.labels, axis=0).tolist()),
        notes=tuple(notes),
        seconds=time.perf_counter() - began,
        held_out=unseen,
    )


def _without_training(
    train: ImageSet,
    val: ImageSet,
    features: Features,
    rows: np.ndarray,
    extractor: FeatureExtractor,
    began: float,
) -> Reference:
    """The real side of a run whose training pictures cannot be read."""
    return Reference(
        extractor=extractor,
        spec=train.spec,
        val=features,
        val_indices=rows,
        val_labels=val.labels[rows],
        train=features[:0],
        train_names=(),
        classifier=None,
        seconds=time.perf_counter() - began,
    )


def _left_out(train: ImageSet) -> ImageSet | None:
    """Real pictures of the combinations that the model is not trained on; they are not in val."""
    if not isinstance(train.source, HeldOutSource):
        return None
    entries = train.source.left_out
    return ImageSet(train.source, entries, size=train.size, channels=train.channels, fit=train.fit)
