"""How often predicted conditions are right: recalls, their mean, and confusion."""

from __future__ import annotations

import numpy as np

from latentbloom.evaluate.measures.intervals import Interval, bootstrap, share_interval


def recalls(predicted: np.ndarray, truth: np.ndarray, values: int) -> np.ndarray:
    """For each value, the share of its pictures that are recognised; NaN where there are none.

    Arguments:
        predicted: int64 (N,), each in [0, values).
        truth: int64 (N,), the same.
        values: How many values.

    Returns:
        float64 (values,).
    """
    table = np.array(confusion(predicted, truth, values))
    counts = table.sum(axis=1)
    unknown = np.full(values, np.nan)
    return np.divide(np.diagonal(table), counts, out=unknown, where=counts > 0)


def recall_intervals(
    predicted: np.ndarray, truth: np.ndarray, values: int
) -> tuple[Interval | None, ...]:
    """`recalls` with Wilson's intervals; None where there are no pictures of a value."""
    hits = [predicted[truth == value] == value for value in range(values)]
    return tuple(share_interval(one) if len(one) else None for one in hits)


def mean_recall(predicted: np.ndarray, truth: np.ndarray, values: int) -> Interval:
    """Mean of `recalls` over the values that occur, with a bootstrap interval.

    The arguments are those of `recalls`, N >= 1.
    """
    right = predicted == truth

    # Counted by hand: scikit-learn takes milliseconds a call, and there are 500 calls.
    def statistic(rows: np.ndarray) -> float:
        pictures = np.bincount(truth[rows], minlength=values)
        hits = np.bincount(truth[rows], weights=right[rows], minlength=values)
        return float(np.mean(hits[pictures > 0] / pictures[pictures > 0]))

    return bootstrap(statistic, len(truth))


def confusion(predicted: np.ndarray, truth: np.ndarray, values: int) -> tuple[tuple[int, ...], ...]:
    """Counts: the row is the truth (what was asked for), the column what is predicted."""
    from sklearn.metrics import confusion_matrix

    table = confusion_matrix(truth, predicted, labels=np.arange(values))
    return tuple(tuple(row) for row in table.tolist())
