"""Which of several strengths of guidance is the best, and what was traded for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Tried(NamedTuple):
    """What a strength of guidance gave.

    Attributes:
        distance: Of the samples to training pictures, 1 for as many real ones.
        witness: What each sample adds to the distance, (N,), in the order of the same requests.
        recalled: Which training pictures lie among the samples, bool (M,).
        met: Which samples show what was asked for, (N,) in [0, 1], a mean over the factors, by a
            classifier trained on training pictures.
        real_control: Mean of the same for real pictures.
        real_error: Standard error of this mean.
    """

    distance: float
    witness: np.ndarray
    recalled: np.ndarray
    met: np.ndarray
    real_control: float
    real_error: float = 0.0

    @property
    def recall(self) -> float:
        """Share of training pictures that lie among the samples."""
        return max(float(self.recalled.mean()), 1e-3)

    @property
    def control(self) -> float:
        """Share of samples that show what was asked for."""
        return max(float(self.met.mean()), 1e-3)

    @property
    def suffices(self) -> bool:
        """Whether samples show what was asked for as often as real pictures do, for sure.

        That is, by the standard error of the difference: strengths are tried from the weakest, so
        that one that seems to by chance would be the last.
        """
        variance = float(self.met.var(ddof=1)) / len(self.met) + self.real_error**2
        return self.control - variance**0.5 >= self.real_control

    @property
    def useful_control(self) -> float:
        """Control, but no more than real pictures have: more than that is no gain."""
        return min(self.control, self.real_control)

    @property
    def merit(self) -> float:
        """Recall times control over distance."""
        return self.recall * self.useful_control / self.distance

    def falls_short_of(self, other: Tried) -> bool:
        """Whether it is worse by more than the standard error of the difference.

        The differences of the three measures, each relative to the mean of the two, are added.
        """
        distance = 0.5 * (self.distance + other.distance)
        recall = 0.5 * (self.recall + other.recall)
        control = 0.5 * (self.useful_control + other.useful_control)
        gap = (
            (self.distance - other.distance) / distance
            + (other.recall - self.recall) / recall
            + (other.useful_control - self.useful_control) / control
        )
        by_sample = (self.witness - other.witness) / distance
        if min(self.control, other.control) < self.real_control:
            by_sample = by_sample + (other.met - self.met) / control
        by_real = (other.recalled.astype(float) - self.recalled) / recall
        error = sum(float(part.var(ddof=1)) / len(part) for part in (by_sample, by_real)) ** 0.5
        return gap > error


def best_of(found: dict[float, Tried]) -> float:
    """The weakest guidance whose merit is the greatest, within one standard error.

    If one of these shows what was asked for as often as real pictures do, for sure, the weakest
    such one; what is stronger does not count, because it would exaggerate.

    Source: the one-standard-error rule of Breiman et al. 1984, section 3.4.3.
    """
    enough = min((w for w, one in found.items() if one.suffices), default=max(found))
    found = {w: one for w, one in found.items() if w <= enough}
    best = max(found.values(), key=lambda one: one.merit)
    near = {w: one for w, one in found.items() if not one.falls_short_of(best)}
    sure = [w for w, one in near.items() if one.suffices]
    return min(sure or near)


def trade(found: dict[float, Tried]) -> list[str]:
    """Sentences: what was chosen, what every strength gave, and what was given up for it.

    Arguments:
        found: What `choose_guidance` found, not empty.
    """
    best = best_of(found)
    tried = "; ".join(
        f"{strength:g}: as asked {one.control:.0%}, recall {one.recall:.0%}, "
        f"distance {one.distance:.2f}"
        for strength, one in found.items()
    )
    real = next(iter(found.values())).real_control
    lines = [
        f"Guidance {best:g}, by distance, recall and control together ({tried}; "
        f"real pictures as asked {real:.0%}, distance 1)."
    ]
    for strength, words in ((min(found), "Against"), (max(found), "And against")):
        if strength != best:
            one, other = found[best], found[strength]
            lines.append(
                f"{words} {strength:g}: as asked {_change(other.control, one.control)}, "
                f"recall {_change(other.recall, one.recall)}, "
                f"distance {other.distance:.2f} to {one.distance:.2f}."
            )
    return lines


def _change(before: float, after: float) -> str:
    return f"{before:.0%} to {after:.0%}"
