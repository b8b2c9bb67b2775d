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
    from latentbloom.data.conditions import ConditionSpec


class Guided(nn.Module):
    """Moves the estimate away from the unconditional one.

        x0_hat = x0_u + w (x0_c - x0_u)

    w = 1 is plain conditional, w = 0 unconditional, w > 1 stronger than the data. (Ho and
    Salimans count from zero: their w is this w minus 1.) The same w guides eps, v and flow
    velocity, because all of them are linear in x0_hat at given x_t.

    Where all rows have w = 1, or all w = 0, the network runs once; otherwise once on a doubled
    batch.

    A row whose combination of values training never showed is guided by each factor on its own,

        x0_hat = x0_u + w sum_f (x0_f - x0_u)

    with x0_f under factor f alone: asked for both at once, the network falls back on a
    combination that it knows. That takes another run of the network, a row for each factor.

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
    factors on their own: Liu et al., Compositional Visual Generation with Composable Diffusion
    Models (arXiv:2206.01714), eq. 11.
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
            columns = torch.tensor(sorted(shown), dtype=torch.long).reshape(-1, len(spec.factors)).T
            self.shown = self._codes(dict(zip(spec.names, columns, strict=True)))

    @property
    def schedule(self) -> Schedule:
        """The guided denoiser's schedule."""
        return self.denoiser.schedule

    def forward(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat (B, ...) in x_t's dtype; x_t (B, ...), t (B,), cond LongTensor (B,) a factor."""
        w = self.weights(t)
        unseen = self.unseen(cond)
        if unseen is not None and bool(unseen.any()):
            both = self._joint(x_t, t, cond, w)
            return torch.where(expand_like(unseen, x_t), self._apart(x_t, t, cond, w), both)
        return self._joint(x_t, t, cond, w)

    def unseen(self, cond: Cond) -> Tensor | None:
        """Mask (B,) of the rows that name every factor, in a combination that was not shown."""
        if self.shown is None:
            return None
        named = torch.stack([self.spec.known(name, cond[name]) for name in self.spec.names])
        return named.all(dim=0) & ~torch.isin(self._codes(cond), self.shown.to(named.device))

    def _codes(self, cond: Cond) -> Tensor:
        """One number (B,) for each combination, "any" included."""
        code = torch.zeros_like(cond[self.spec.names[0]])
        for factor in self.spec.factors:
            code = code * factor.num_embeddings + cond[factor.name]
        return code

    def _apart(self, x_t: Tensor, t: Tensor, cond: Cond, w: Tensor) -> Tensor:
        null = self.spec.null_like(cond)
        rows = [null] + [null | {name: cond[name]} for name in self.spec.names]
        stacked = {name: torch.cat([row[name] for row in rows]) for name in self.spec.names}
        k = len(rows)
        x0_hat = self.denoiser(torch.cat([x_t] * k), torch.cat([t] * k), stacked)
        x0_u, *each = x0_hat.chunk(k)
        away = torch.stack([x0_f - x0_u for x0_f in each]).sum(dim=0)
        return x0_u + expand_like(w, x_t).to(x_t.dtype) * away

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
