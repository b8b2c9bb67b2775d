"""Sentences about the real pictures that scores compare with."""

from __future__ import annotations

import numpy as np

from latentbloom.data.imageset import ImageSet

MIN_VAL = 16
"""Fewer pictures are not compared with."""


def too_few(val: ImageSet, *, other: bool) -> str:
    """Why a set is refused; `other` for a set that is not the run's own."""
    if other:
        return f"'{val.source.name}' has {len(val)} pictures; scores need {MIN_VAL} or more."
    return (
        f"'{val.source.name}' has {len(val)} held-out pictures; scores need {MIN_VAL} or more. "
        "Use a source with a val folder, or with more pictures."
    )


def label_notes(
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
