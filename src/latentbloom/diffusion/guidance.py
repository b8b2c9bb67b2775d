"""Guidance: denoisers around a denoiser. They compose, and `guide` puts them together.

From the inside to the outside:

    network  ->  ClassifierFreeGuidance  ->  GuidanceByAnalogy  ->  GuidanceInterval

The network gives x0_hat under conditions. Classifier-free guidance strengthens them. The analogy
takes over the rows whose combination of values training never showed, if there are at most
`MOST_FACTORS` factors. The interval decides at which times all of this acts.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentbloom.diffusion.analogy import GuidanceByAnalogy
from latentbloom.diffusion.classifier_free import ClassifierFreeGuidance
from latentbloom.diffusion.denoiser import Cond, X0Denoiser
from latentbloom.diffusion.parameterisation import expand_like
from latentbloom.diffusion.schedule import Schedule
from latentbloom.errors import ConfigError

if TYPE_CHECKING:
    from latentbloom.conditions import ConditionSpec

MOST_FACTORS = 8
"""Factors up to which unseen combinations are guided by analogy, at 1 + 2 factors times the cost.

Of many factors hardly any combination that is asked for was shown, so that each row would cost it.
"""


def guide(
    denoiser: X0Denoiser,
    spec: ConditionSpec,
    guidance: float | Tensor,
    *,
    interval: tuple[float, float] | None = None,
    shown: Collection[tuple[int, ...]] | None = None,
) -> X0Denoiser:
    """A denoiser with guidance.

    Arguments:
        denoiser: The denoiser to guide.
        spec: Its conditions.
        guidance: w, finite, a number or a tensor (B,).
        interval: (low, high): times in [0, 1] between which guidance acts; None: always.
        shown: Combinations of values that training showed, indices in the order of the factors;
            None: all of them.

    Raises:
        ConfigError: The guidance is not finite, or the interval is not 0 <= low <= high <= 1.
    """

    def guided(w: float | Tensor) -> X0Denoiser:
        free = ClassifierFreeGuidance(denoiser, spec, w)
        # One factor alone makes no combinations.
        suits = 2 <= len(spec.factors) <= MOST_FACTORS
        return free if shown is None or not suits else GuidanceByAnalogy(free, shown)

    if interval is None:
        return guided(guidance)
    return GuidanceInterval(guided(guidance), guided(1.0), interval)


class GuidanceInterval:
    """Guides in a middle range of noise only.

        x0_hat = guided(x_t, t, cond)  where low <= t <= high,  plain(x_t, t, cond) elsewhere

    At high noise guidance takes variety away, at low noise it changes little and costs a second
    run of the network.

    Arguments:
        guided: The denoiser between the two times, both included.
        plain: The denoiser outside them, as a rule the conditional one without guidance.
        interval: (low, high), times in [0, 1].

    Raises:
        ConfigError: The interval is not 0 <= low <= high <= 1.

    Source: Kynkäänniemi et al., Applying Guidance in a Limited Interval Improves Sample and
    Distribution Quality in Diffusion Models (arXiv:2404.07724), section 3, there in sigma.
    """

    def __init__(
        self, guided: X0Denoiser, plain: X0Denoiser, interval: tuple[float, float]
    ) -> None:
        self.guided = guided
        self.plain = plain
        self.interval = check_interval(interval)

    @property
    def schedule(self) -> Schedule:
        """The schedule of the guided denoiser."""
        return self.guided.schedule

    def __call__(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat (B, ...) in x_t's dtype; x_t (B, ...), t (B,), cond LongTensor (B,) a factor."""
        low, high = self.interval
        inside = (t >= low) & (t <= high)
        if bool(inside.all()):
            return self.guided(x_t, t, cond)
        if not bool(inside.any()):
            return self.plain(x_t, t, cond)
        # A sampler has all rows at one time; rows at several times cost both.
        guided, plain = self.guided(x_t, t, cond), self.plain(x_t, t, cond)
        return torch.where(expand_like(inside, x_t), guided, plain)


def check_interval(interval: tuple[float, float]) -> tuple[float, float]:
    """The interval itself, if it is one.

    Raises:
        ConfigError: It is not two times with 0 <= low <= high <= 1.
    """
    try:
        low, high = interval
        good = 0 <= low <= high <= 1
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ConfigError(
            f"The guidance interval {interval} is not two times between 0 and 1, the smaller "
            "one first."
        )
    return interval
