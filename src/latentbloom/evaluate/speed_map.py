"""Speed against quality: measured settings of the sampler, and the three that are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from latentbloom.evaluate.measures.intervals import Interval
from latentbloom.foreign.json_files import read_json
from latentbloom.storage.files import write_atomic

FILE_NAME = "quality.json"
Quality = Literal["draft", "balanced", "best"]

DRAFT_EVALUATIONS = 4
"""The most evaluations of the network that a draft may take."""

NEARLY_BEST = 1.1
"""A balanced setting costs at most this many times the best."""

CONTROL_WEIGHT = 5.0
"""Cost of lost condition accuracy: ten points cost half as much as the best kernel distance."""


class Setting(BaseModel):
    """How to generate a picture.

    Arguments:
        sampler: Name in `latentbloom.diffusion.SAMPLERS`.
        num_steps: Solver steps.
        guidance: 1 plain conditional, above 1 stronger.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sampler: str
    num_steps: int
    guidance: float


class Point(BaseModel):
    """What a setting gives.

    Arguments:
        setting: The setting.
        evaluations: Evaluations of the network for a picture, not counting those of guidance.
        pictures_per_second: Measured speed.
        kernel: Kernel distance to held-out real pictures.
        met: Condition accuracy, mean over values and factors; None without a classifier.
        cost: The value to minimise; 1 for the smallest distance at full condition accuracy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    setting: Setting
    evaluations: int
    pictures_per_second: float
    kernel: Interval
    met: float | None
    cost: float = float("nan")


class SpeedMap(BaseModel):
    """All points, and the three settings that were chosen among them.

    Arguments:
        version: Of this format.
        samples: Pictures a point.
        ceiling: The classifier's accuracy on real pictures; None without a classifier.
        points: In the order of measurement.
        chosen: A setting each for "draft", "balanced" and "best".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    samples: int
    ceiling: float | None
    points: tuple[Point, ...]
    chosen: dict[Quality, Setting]

    def save(self, path: Path) -> None:
        """Write it as JSON, atomically."""
        write_atomic(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> SpeedMap | None:
        """The map in a file; None where there is none that can be read."""
        try:
            return cls.model_validate(read_json(path, folder=path.parent))
        except (OSError, ValueError):
            return None


def with_costs(points: Sequence[Point], ceiling: float | None) -> list[Point]:
    """Points with their costs: distance over the smallest one, plus lost condition accuracy.

    .. math:: c = d / d_{min} + 5 max(0, ceiling - met)

    Distances below the uncertainty of the smallest one count as equal to it.

    Arguments:
        points: Measured settings.
        ceiling: The classifier's accuracy on real pictures.
    """
    least = min(points, key=lambda p: p.kernel.value).kernel
    grain = max((least.high - least.low) / 2, 1e-12)
    base = max(least.value, grain)
    costed = []
    for point in points:
        cost = max(point.kernel.value, base) / base
        if ceiling is not None and point.met is not None:
            cost += CONTROL_WEIGHT * max(0.0, ceiling - point.met)
        costed.append(point.model_copy(update={"cost": cost}))
    return costed


def by_cost(point: Point) -> tuple[float, float]:
    """Sort key: the cheapest first, and of equals the weakest guidance."""
    return point.cost, point.setting.guidance


def choose(points: Sequence[Point]) -> dict[Quality, Setting]:
    """The best of all; the fastest that is nearly as good; the best of the very fast ones.

    Arguments:
        points: With costs. Where none takes `DRAFT_EVALUATIONS` or fewer, the fastest is the
            draft.
    """
    best = min(points, key=by_cost)
    nearly = [p for p in points if p.cost <= NEARLY_BEST * best.cost]
    balanced = min(nearly, key=lambda p: (p.evaluations, *by_cost(p)))
    quick = [p for p in points if p.evaluations <= DRAFT_EVALUATIONS]
    fastest = min(points, key=lambda p: (p.evaluations, *by_cost(p)))
    draft = min(quick, key=by_cost) if quick else fastest
    return {"draft": draft.setting, "balanced": balanced.setting, "best": best.setting}
