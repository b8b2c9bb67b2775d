"""The real side of every comparison: features, a judge and floors, prepared once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from latentbloom.conditions import ConditionSpec
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.holdout import HeldOutSource
from latentbloom.errors import LatentbloomError
from latentbloom.evaluate.features.extractor import FeatureExtractor, Features, Progress
from latentbloom.evaluate.features.stored import real_features, set_key
from latentbloom.evaluate.measures.classifier import RECIPE, Judge, train_judge, untaught
from latentbloom.evaluate.measures.distances import Interval, frechet_distance, kernel_distance
from latentbloom.evaluate.measures.neighbours import Manifolds
from latentbloom.files import cache_folder

MAX_TRAIN = 20_000
"""More training pictures than this are not looked at: they cost minutes and change little."""

MIN_VAL = 16
FLOOR_DRAWS = 4


@dataclass
class Reference:
    """Real pictures as the scores need them.

    Arguments:
        extractor: The network.
        spec: The factors.
        val: Features of kept-aside pictures, in shuffled order.
        val_indices: Which pictures of the set they are.
        val_labels: int64 (N, factors).
        train: Features of training pictures, in shuffled order.
        train_names: Their names.
        judge: None where the labels teach none.
        seen: Combinations of labels that training shows.
        notes: What could not be had, in sentences.
    """

    extractor: FeatureExtractor
    spec: ConditionSpec
    val: Features
    val_indices: np.ndarray
    val_labels: np.ndarray
    train: Features
    train_names: tuple[str, ...]
    judge: Judge | None
    seen: frozenset[tuple[int, ...]] = frozenset()
    notes: tuple[str, ...] = ()
    _floors: dict[tuple[str, int], Interval] = field(default_factory=dict)

    def floor(self, kind: str, n: int) -> Interval:
        """Distance of n real training pictures to val: mean, least and most of some draws.

        Arguments:
            kind: "frechet" or "kernel".
            n: How many; all there are when there are fewer.
        """
        n = min(n, len(self.train))
        if (kind, n) not in self._floors:
            measure = {"frechet": frechet_distance, "kernel": kernel_distance}[kind]
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
    """Look at the real pictures and teach the judge.

    The judge learns from combinations that are held out of training, too: else it would be as
    unsure of them as the model that it is to judge.

    Arguments:
        train: Training pictures.
        val: Kept-aside pictures.
        max_train: How many training pictures to look at.
        max_val: How many kept-aside pictures to look at; None means all.
        extractor: The network; made when left out.
        cache: Folder of kept features and judges; "user" is the user's cache folder, None
            keeps nothing.
        on_progress: Called with what is being done, how much is done and how much there is.

    Raises:
        LatentbloomError: There are too few kept-aside pictures to compare with.
    """
    if len(val) < MIN_VAL:
        raise LatentbloomError(
            f"'{val.source.name}' keeps {len(val)} pictures aside; scores need {MIN_VAL} or more. "
            "Give a source with a val folder, or with more pictures."
        )
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
    lessons, labels, taught_on = train_features, train.labels[train_rows], set_key(train, extractor)
    held_out = _held_out(train)
    if held_out is not None:
        more, rows = real_features(
            held_out,
            extractor,
            limit=MAX_TRAIN,
            cache=folder,
            text="features of what is held out",
            on_progress=on_progress,
        )
        lessons = Features.cat([lessons, more])
        labels = np.concatenate([labels, held_out.labels[rows]])
        taught_on += f"-{set_key(held_out, extractor)}"
    notes = list(_label_notes(train, val, train_rows, val_rows))
    judge = None
    where = None
    if folder is not None:
        where = folder / "judges" / f"{taught_on}-{len(lessons)}-{RECIPE}"
        judge = Judge.load(where)
    unknown = untaught(labels, train.spec)
    notes += unknown.values()
    if judge is None and len(unknown) < len(train.spec.factors):
        judge = train_judge(lessons, labels, train.spec, on_progress=on_progress)
        if where is not None:
            judge.save(where)
    return Reference(
        extractor=extractor,
        spec=train.spec,
        val=val_features,
        val_indices=val_rows,
        val_labels=val.labels[val_rows],
        train=train_features,
        train_names=tuple(train.entries[row].name for row in train_rows),
        judge=judge,
        seen=frozenset(tuple(row) for row in np.unique(train.labels, axis=0).tolist()),
        notes=tuple(notes),
    )


def _held_out(train: ImageSet) -> ImageSet | None:
    """Real pictures that the model is not shown, and that are not val either."""
    if not isinstance(train.source, HeldOutSource):
        return None
    entries = train.source.left_out
    return ImageSet(train.source, entries, size=train.size, channels=train.channels, fit=train.fit)


def _label_notes(
    train: ImageSet, val: ImageSet, train_rows: np.ndarray, val_rows: np.ndarray
) -> list[str]:
    """Sentences about labels of val that training does not show."""
    notes = []
    for column, factor in enumerate(train.spec.factors):
        shown = set(train.labels[train_rows, column].tolist())
        asked = set(val.labels[val_rows, column].tolist()) - {factor.null_index}
        if missing := sorted(asked - shown):
            words = ", ".join(factor.word(index) for index in missing)
            notes.append(
                f"val has {factor.name}={words}, which no training picture shows: the judge "
                "cannot know it."
            )
    return notes
