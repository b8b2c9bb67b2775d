"""How much of a stage is done, in images or in seconds, and the factors that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from latentbloom.errors import ConfigError


@dataclass(frozen=True)
class Budget:
    """Exactly one of the two is set.

    Arguments:
        images: Images to see.
        seconds: Seconds to take, validation and saving included.
    """

    images: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.images is None) == (self.seconds is None):
            raise ConfigError("A stage needs a budget in images or in seconds, one of the two.")

    def progress(self, images: int, seconds: float) -> float:
        """Share of the budget that is used, in [0, 1]."""
        if self.images is not None:
            return min(1.0, images / self.images)
        assert self.seconds is not None
        return 1.0 if self.seconds <= 0 else min(1.0, seconds / self.seconds)

    def seconds_left(self, progress: float, seconds: float) -> float:
        """Estimate of the seconds to go; infinite before anything is known."""
        if self.seconds is not None:
            return max(0.0, self.seconds - seconds)
        return seconds / progress - seconds if progress > 0 else float("inf")


def learning_rate_factor(progress: float, warmup: float, decay_start: float) -> float:
    """Rise, plateau, fall: the factor on the peak learning rate, in (0, 1].

    The fall is linear to 1 % of the peak. Source: Hagele et al. 2024, arXiv:2405.18392.

    Arguments:
        progress: Share of the stage that is done, in [0, 1].
        warmup: Share over which the rate rises from 5 % to 100 %.
        decay_start: Share at which it begins to fall.
    """
    if progress < warmup:
        return 0.05 + 0.95 * progress / warmup
    if progress < decay_start:
        return 1.0
    left = (1.0 - progress) / max(1.0 - decay_start, 1e-9)
    return 0.01 + 0.99 * max(0.0, min(1.0, left))


def ramp(progress: float, start: float, full: float) -> float:
    """0 up to `start`, 1 from `full`, linear in between."""
    if progress >= full:
        return 1.0
    if progress <= start:
        return 0.0
    return (progress - start) / (full - start)
