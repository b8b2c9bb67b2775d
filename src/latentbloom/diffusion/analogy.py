"""Guidance for combinations of values that training never showed."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from latentbloom.diffusion.classifier_free import ClassifierFreeGuidance
from latentbloom.diffusion.denoiser import Cond
from latentbloom.diffusion.parameterisation import expand_like
from latentbloom.diffusion.schedule import Schedule


class GuidanceByAnalogy:
    """Guides a row by what each of its values changes in combinations that training showed.

        x0_hat = x0_u + w sum_f (x0_(f,g) - x0_g)

    This holds for the rows that name every factor, in a combination that training never showed;
    all others go to the wrapped guidance. x0_(f,g) is the estimate under factor f's value and,
    for the other factors, the values g of a shown combination that has it; x0_g is the estimate
    under g alone.

    The reason: asked for an unseen combination, the network falls back on one that it knows. Asked
    for one value alone, it avoids what that value was never seen with. In the difference this
    cancels. Of several g that share the most values with the row, each takes its turn along the
    path. A value that no combination shows guides alone, with g "any".

    An unseen row costs one run of the network on 1 + 2 factors rows.

    Arguments:
        guided: Guidance for combinations that were shown; its w and its network serve for all.
        shown: The combinations that training showed, indices in the order of the factors.

    Source: Liu et al., Compositional Visual Generation with Composable Diffusion Models
    (arXiv:2206.01714), eq. 11, where g is always "any".
    """

    def __init__(self, guided: ClassifierFreeGuidance, shown: Collection[tuple[int, ...]]) -> None:
        self.guided = guided
        self.spec = guided.spec
        table = torch.tensor(sorted(shown), dtype=torch.long)
        self.shown = table.reshape(-1, len(self.spec.factors))  # (S, factors)

    @property
    def schedule(self) -> Schedule:
        """The schedule of the guided denoiser."""
        return self.guided.schedule

    def __call__(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat (B, ...) in x_t's dtype; x_t (B, ...), t (B,), cond LongTensor (B,) a factor."""
        unseen = self.unseen(cond)
        if not bool(unseen.any()):
            return self.guided(x_t, t, cond)
        x0_hat = torch.empty_like(x_t)
        w = self.guided.weights(t)
        x0_hat[unseen] = self._by_analogy(*_rows(unseen, x_t, t, cond), w[unseen])
        if not bool(unseen.all()):
            x0_hat[~unseen] = self.guided.for_rows(~unseen)(*_rows(~unseen, x_t, t, cond))
        return x0_hat

    def unseen(self, cond: Cond) -> Tensor:
        """Mask (B,) of the rows that name every factor, in a combination that was not shown."""
        named = torch.stack([self.spec.known(name, cond[name]) for name in self.spec.names])
        return named.all(dim=0) & ~self._agreement(cond).all(dim=2).any(dim=1)

    def _agreement(self, cond: Cond) -> Tensor:
        """Mask (B, S, factors): which values each shown combination shares with each row."""
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
        x0_hat = self.guided.denoiser(torch.cat([x_t] * k), torch.cat([t] * k), stacked)
        x0_u, *pairs = x0_hat.chunk(k)
        away = torch.stack([a - b for a, b in zip(pairs[::2], pairs[1::2], strict=True)]).sum(dim=0)
        return x0_u + expand_like(w, x_t).to(x_t.dtype) * away

    def _neighbour(self, t: Tensor, cond: Cond, column: int) -> Cond:
        """For each row a shown combination with its value of one factor, or "any" of all."""
        agreement = self._agreement(cond)
        score = agreement.sum(dim=2) * agreement[..., column]  # (B, S), 0 where the value differs
        nearest = (score == score.amax(dim=1, keepdim=True)) & (score > 0)
        rank = (_turn(t) * nearest.sum(dim=1)).long()  # (B,)
        place = (nearest.cumsum(dim=1) > rank[:, None]).int().argmax(dim=1)
        found = self.shown.to(place.device)[place].T
        missing = ~nearest.any(dim=1)
        neighbour = dict(zip(self.spec.names, found, strict=True))
        return self.spec.drop(neighbour, dict.fromkeys(self.spec.names, missing))


def _rows(mask: Tensor, x_t: Tensor, t: Tensor, cond: Cond) -> tuple[Tensor, Tensor, Cond]:
    return x_t[mask], t[mask], {name: values[mask] for name, values in cond.items()}


def _turn(t: Tensor) -> Tensor:
    """A number in [0, 1) for each time: deterministic, and far apart for times close together."""
    return (t.double() * 617.3).remainder(1.0)
