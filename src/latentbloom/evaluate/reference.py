"""The real side of every comparison: features, a classifier and floors, prepared once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
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
from latentbloom.files import cache_folder

MAX_TRAIN = 20_000
"""The most training pictures that are used: more cost minutes and change little."""

MIN_VAL = 16
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
        val: Features of held-out pictures, in shuffled order.
        val_indices: Their indices in the set.
        val_labels: int64 (N, factors).
        train: Features of training pictures, in shuffled order.
        train_names: Their names.
        classifier: None where the labels cannot be learned.
        seen: Combinations of labels that training pictures have.
        notes: What is missing, in sentences.
        seconds: How long it took to prepare this.
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
    _floors: dict[tuple[str, int], Interval] = field(default_factory=dict)

    def floor(self, kind: str, n: int) -> Interval:
        """Distance of n real training pictures to val: mean, minimum and maximum of some draws.

        Arguments:
            kind: Key of `MEASURES`.
            n: How many; all of them when there are fewer.
        """
        n = min(n, len(self.train))
        if (kind, n) not in self._floors:
            measure = MEASURES[kind]
            generator = np.random.default_rng(0)
            draws = 1 if n == len(self.train) else FLOOR_DRAWS
            found = [
                measure(self.train.pooled[np.sort(rows)], self.val.pooled)
                for rows in (generator.permutation(len(self.train))[:n] for _ in range(draws))
            ]
            self._floors[kind, n] = Interval(
                value=float(np.mean(found)), low=min(found), high=max(found)
            )
        return self._floors[kind, n]

    def manifold_floor(self, n: int) -> dict[str, Interval]:
        """Precision, recall, density and coverage of n real training pictures."""
        return Manifolds.of(self.train.pooled[:n], self.val.pooled).scores()


def prepare_reference(
    train: ImageSet,
    val: ImageSet,
    *,
    max_train: int = MAX_TRAIN,
    max_val: int | None = None,
    extractor: FeatureExtractor | None = None,
    cache: Path | str | None = "user",
    on_progress: Progress | None = None,
) -> Reference:
    """Extract the features of real pictures and train the classifier.

    The classifier also learns from the combinations that were left out of the model's training.
    Else it would know them as little as the model that it checks.

    Arguments:
        train: Training pictures.
        val: Held-out pictures.
        max_train: How many training pictures to use.
        max_val: How many held-out pictures to use; None means all.
        extractor: The network; made when left out.
        cache: Folder of stored features and classifiers; "user" is the user's cache folder, None
            stores nothing.
        on_progress: Called with the name of a part, how much of it is done, and its total.

    Raises:
        LatentbloomError: There are too few held-out pictures to compare with.
    """
    if len(val) < MIN_VAL:
        raise LatentbloomError(
            f"'{val.source.name}' has {len(val)} held-out pictures; scores need {MIN_VAL} or more. "
            "Use a source with a val folder, or with more pictures."
        )
    began = time.perf_counter()
    folder = cache_folder() if cache == "user" else (None if cache is None else Path(cache))
    extractor = extractor or FeatureExtractor()
    val_features, val_rows = real_features(
        val,
        extractor,
        limit=max_val,
        cache=folder,
        text="features of val",
        on_progress=on_progress,
    )
    train_features, train_rows = real_features(
        train,
        extractor,
        limit=min(max_train, MAX_TRAIN),
        cache=folder,
        text="features of train",
        on_progress=on_progress,
    )
    learned, labels, key = train_features, train.labels[train_rows], set_key(train, extractor)
    left_out = _left_out(train)
    if left_out is not None:
        more, rows = real_features(
            left_out,
            extractor,
            limit=MAX_TRAIN,
            cache=folder,
            text="features of left-out combinations",
            on_progress=on_progress,
        )
        learned = Features.cat([learned, more])
        labels = np.concatenate([labels, left_out.labels[rows]])
        key += f"-{set_key(left_out, extractor)}"
    notes = list(_label_notes(train, val, train_rows, val_rows))
    classifier = None
    place = None
    if folder is not None:
        place = folder / "classifiers" / f"{key}-{len(learned)}-{RECIPE}"
        classifier = ConditionClassifier.load(place)
    unknown = unlearnable(labels, train.spec)
    notes += unknown.values()
    if classifier is None and len(unknown) < len(train.spec.factors):
        classifier = train_classifier(learned, labels, train.spec, on_progress=on_progress)
        if place is not None:
            classifier.save(place)
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
    )


def _left_out(train: ImageSet) -> ImageSet | None:
    """Real pictures of the combinations that the model is not trained on; they are not in val."""
    if not isinstance(train.source, HeldOutSource):
        return None
    entries = train.source.left_out
    return ImageSet(train.source, entries, size=train.size, channels=train.channels, fit=train.fit)


def _label_notes(
    train: ImageSet, val: ImageSet, train_rows: np.ndarray, val_rows: np.ndarray
) -> list[str]:
    """Sentences about labels of val that no training picture has."""
    notes = []
    for column, factor in enumerate(train.spec.factors):
        shown = set(train.labels[train_rows, column].tolist())
        asked = set(val.labels[val_rows, column].tolist()) - {factor.null_index}
        if missing := sorted(asked - shown):
            words = ", ".join(factor.word(index) for index in missing)
            notes.append(
                f"val has {factor.name}={words}, which no training picture has: the "
                "classifier cannot know it."
            )
    return notes
