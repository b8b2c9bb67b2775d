"""Single numbers of scores."""

from __future__ import annotations

from latentbloom.evaluate.scores import PictureScores


def met(scores: PictureScores) -> float:
    """How often samples are as asked, mean of the first factor's labels."""
    return scores.control[0].mean.value


def copied(scores: PictureScores) -> float:
    """Share of samples that are nearer to training than new pictures are."""
    assert scores.copying is not None
    return scores.copying.share.value
