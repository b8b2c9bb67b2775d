"""Samples with every state of their paths, computed once for all figures that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentbloom.diffusion.sampling import steady_sampler
from latentbloom.figures.condition_words import phrase
from latentbloom.figures.scene import Scene

if TYPE_CHECKING:
    import torch

    from latentbloom.model.generator import Model
    from latentbloom.model.records import Moment, Records

SAMPLES = 5  # of each condition
MOST_CONDITIONS = 6


@dataclass(frozen=True)
class Paths:
    """Samples of one condition, with all states of their paths.

    Attributes:
        words: The condition.
        records: The samples.
    """

    words: Mapping[str, str]
    records: Records

    @property
    def label(self) -> str:
        """The condition in a few words."""
        return phrase(self.words)


def path_sampler(model: Model) -> str:
    """The model's own sampler, or one without noise at its steps: paths are then smooth."""
    return steady_sampler(model.config.sampling.sampler)


def paths(scene: Scene) -> list[Paths]:
    """Samples of each condition, from the same noise for each."""
    if "paths" not in scene.memory:
        conditions = scene.conditions(MOST_CONDITIONS)
        asked = [words for words in conditions for _ in range(SAMPLES)]
        numbers = list(range(SAMPLES)) * len(conditions)
        model = scene.need_model()
        records = model.sample(
            asked, indices=numbers, seed=scene.seed, sampler=path_sampler(model), path=True
        )
        rows = [records[k : k + SAMPLES] for k in range(0, len(records), SAMPLES)]
        scene.memory["paths"] = list(map(Paths, conditions, rows))
    return scene.memory["paths"]


def states_between(path: Sequence[Moment], count: int) -> torch.Tensor:
    """`count` states x_t (count, C, h, w), evenly spaced along the steps of a path."""
    import torch

    x = torch.stack([moment.x_t for moment in path])
    where = torch.linspace(0, len(x) - 1, count)
    low = where.floor().long()
    high = where.ceil().long()
    share = (where - low).reshape(-1, *[1] * (x.ndim - 1))
    return x[low] * (1 - share) + x[high] * share
