"""Classifier-free guidance, as a denoiser around a denoiser."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from latentbloom.diffusion.denoiser import Cond, X0Denoiser
from latentbloom.diffusion.parameterisation import expand_like
from latentbloom.diffusion.schedule import Schedule
from latentbloom.errors import ConfigError

if TYPE_CHECKING:
    from latentbloom.conditions import ConditionSpec


class Guided(nn.Module):
    """Moves the estimate away from the unconditional one.

        x0_hat = x0_u + w (x0_c - x0_u)

    w = 1 is plain conditional, w = 0 unconditional, w > 1 stronger than the data. (Ho and
    Salimans count from zero: their w is this w minus 1.) The same w guides eps, v and flow
    velocity, because all of them are linear in x0_hat at given x_t.

    Where all rows have w = 1, or all w = 0, the network runs once; otherwise once on a doubled
    batch.

    A row whose combination of values training never showed is guided by what each of its values
    changes in a combination that was shown,

        x0_hat = x0_u + w sum_f (x0_(f,g) - x0_g)

    with x0_(f,g) under factor f's value and the other factors' values g of a shown combination
    that has it, x0_g under g alone. Asked for all at once, the network falls back on a combination
    that it knows; and under one factor alone, too, it keeps away from what that value was never
    seen with. In the difference this cancels. Of several g that have the most in common with what
    was asked, each takes its turn along the path; a value that no combination shows guides alone,
    g being "any". That takes another run of the network, two rows for each factor.

    Arguments:
        denoiser: The denoiser to guide.
        spec: Its conditions; it makes the row with every factor "any".
        guidance: w, a number or a tensor (B,).
        interval: (low, high): times in [0, 1], both included, at which guidance acts; outside
            them it is plain conditional. None: always.
        shown: Combinations of values that training showed, indices in the order of the factors;
            None: all of them.

    Raises:
        ConfigError: The interval is not 0 <= low <= high <= 1.

    Source: Ho and Salimans, Classifier-Free Diffusion Guidance (arXiv:2207.12598), eq. 6;
    interval: Kynkäänniemi et al., Applying Guidance in a Limited Interval (arXiv:2404.07724);
    a sum over factors: Liu et al., Compositional Visual Generation with Composable Diffusion
    Models (arXiv:2206.01714), eq. 11, where g is always "any".
    """

    def __init__(
        self,
        denoiser: X0Denoiser,
        spec: ConditionSpec,
        guidance: float | Tensor,
        *,
        interval: tuple[float, float] | None = None,
        shown: Collection[tuple[int, ...]] | None = None,
    ) -> None:
        super().__init__()
        if interval is not None and not 0 <= interval[0] <= interval[1] <= 1:
            raise ConfigError(
                f"The guidance interval {interval} is not two times between 0 and 1, the smaller "
                "one first."
            )
        self.denoiser = denoiser
        self.spec = spec
        self.guidance = guidance
        self.interval = interval
        self.shown = None
        if shown is not None and len(spec.factors) > 1:
            self.shown = torch.tensor(sorted(shown), dtype=torch.long)
            self.shown = self.shown.reshape(-1, len(spec.factors))  # (S, factors)

    @property
    def schedule(self) -> Schedule:
        """The guided denoiser's schedule."""
        return self.denoiser.schedule

    def forward(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat (B, ...) in x_t's dtype; x_t (B, ...), t (B,), cond LongTensor (B,) a factor."""
        w = self.weights(t)
        unseen = self.unseen(cond)
        if unseen is None or not bool(unseen.any()):
            return self._joint(x_t, t, cond, w)
        x0_hat = torch.empty_like(x_t)
        for part, estimate in ((unseen, self._by_analogy), (~unseen, self._joint)):
            if bool(part.any()):
                rows = {name: values[part] for name, values in cond.items()}
                x0_hat[part] = estimate(x_t[part], t[part], rows, w[part])
        return x0_hat

    def unseen(self, cond: Cond) -> Tensor | None:
        """Mask (B,) of the rows that name every factor, in a combination that was not shown."""
        if self.shown is None:
            return None
        named = torch.stack([self.spec.known(name, cond[name]) for name in self.spec.names])
        return named.all(dim=0) & ~self._agreement(cond).all(dim=2).any(dim=1)

    def _agreement(self, cond: Cond) -> Tensor:
        """Mask (B, S, factors): which values each shown combination shares with each row."""
        assert self.shown is not None
        asked = torch.stack([cond[name] for name in self.spec.names], dim=1)  # (B, factors)
        return asked[:, None] == self.shown.to(asked.device)

    def _by_analogy(self, x_t: Tensor, t: Tensor, cond: Cond, w: Tensor) -> Tensor:
        null = self.spec.null_like(cond)
        rows = [null]
        for column, name in enumerate(self.spec.names):
            others = self._neighbour(t, cond, column)
            rows += [others | {name: cond[name]}, others | {name: null[name]}]
        stacked = {name: torch.cat([row[name] for row in rows]) for name in self.spec.names}
        k = len(rows)
        x0_hat = self.denoiser(torch.cat([x_t] * k), torch.cat([t] * k), stacked)
        x0_u, *pairs = x0_hat.chunk(k)
        away = torch.stack([a - b for a, b in zip(pairs[::2], pairs[1::2], strict=True)]).sum(dim=0)
        return x0_u + expand_like(w, x_t).to(x_t.dtype) * away

    def _neighbour(self, t: Tensor, cond: Cond, column: int) -> Cond:
        """For each row a shown combination with its value of one factor, or "any" of all."""
        assert self.shown is not None
        agreement = self._agreement(cond)
        score = agreement.sum(dim=2) * agreement[..., column]  # (B, S), 0 where the value differs
        nearest = (score == score.amax(dim=1, keepdim=True)) & (score > 0)
        rank = (_turn(t) * nearest.sum(dim=1)).long()  # (B,)
        place = (nearest.cumsum(dim=1) > rank[:, None]).int().argmax(dim=1)
        found = self.shown.to(place.device)[place].T
        missing = ~nearest.any(dim=1)
        neighbour = dict(zip(self.spec.names, found, strict=True))
        return self.spec.drop(neighbour, dict.fromkeys(self.spec.names, missing))

    def _joint(self, x_t: Tensor, t: Tensor, cond: Cond, w: Tensor) -> Tensor:
        if bool((w == 1).all()):
            return self.denoiser(x_t, t, cond)
        null = self.spec.null_like(cond)
        if bool((w == 0).all()):
            return self.denoiser(x_t, t, null)
        both = {name: torch.cat([cond[name], null[name]]) for name in self.spec.names}
        x0_hat = self.denoiser(torch.cat([x_t, x_t]), torch.cat([t, t]), both)
        x0_c, x0_u = x0_hat.chunk(2)
        return x0_u + expand_like(w, x_t).to(x_t.dtype) * (x0_c - x0_u)

    def weights(self, t: Tensor) -> Tensor:
        """The w of each row at its time (B,): the guidance inside the interval, 1 outside."""
        w = torch.as_tensor(self.guidance, dtype=t.dtype, device=t.device).expand_as(t)
        if self.interval is None:
            return w
        low, high = self.interval
        return torch.where((t >= low) & (t <= high), w, torch.ones_like(w))


def _turn(t: Tensor) -> Tensor:
    """A number in [0, 1) for each time, far from those of times nearby, the same on every run."""
    return (t.double() * 617.3).remainder(1.0)
