r"""Gaussian data, for which the denoiser and the flow have a closed form.

With x0 ~ N(m, s^2) in every coordinate, x_t ~ N(alpha_t m, alpha_t^2 s^2 + sigma_t^2), and the
best denoiser and the flow of the probability-flow ODE are affine. Solvers are tested against
these formulas.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from latentbloom.diffusion.denoiser import Cond
from latentbloom.diffusion.parameterisation import expand_like
from latentbloom.diffusion.schedule import Schedule


@dataclass(frozen=True)
class GaussianDenoiser:
    r"""The exact E[x0 | x_t] of N(m, s^2) data; used in place of a trained denoiser.

        x0_hat = m + alpha_t s^2 / (alpha_t^2 s^2 + sigma_t^2) (x_t - alpha_t m)

    Arguments:
        schedule: The noise schedule.
        mean: m: a number, or a tensor (K,) with a mean for each index of a factor.
        std: s, positive.
        factor: The factor that chooses among the K means; the last of them is for "any". None:
            a single mean.
    """

    schedule: Schedule
    mean: float | Tensor
    std: float
    factor: str | None = None

    def __call__(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat (B, ...) for x_t (B, ...) at times t (B,), in x_t's dtype."""
        alpha, sigma = (expand_like(scale, x_t) for scale in self.schedule(t.to(x_t.dtype)))
        mean = self.means(x_t, cond)
        gain = alpha * self.std**2 / (alpha**2 * self.std**2 + sigma**2)
        return mean + gain * (x_t - alpha * mean)

    def means(self, x: Tensor, cond: Cond) -> Tensor:
        """The mean of each row, broadcast against x (B, ...)."""
        mean = torch.as_tensor(self.mean, dtype=x.dtype, device=x.device)
        return mean if self.factor is None else expand_like(mean[cond[self.factor]], x)


def gaussian_flow_map(
    schedule: Schedule, x_t: Tensor, t: Tensor, s: Tensor, *, mean: float, std: float
) -> Tensor:
    r"""The solution at time s of the probability-flow ODE of N(m, std^2) data through x_t.

    The ODE maps quantiles to quantiles:

        (x_s - alpha_s m) / sqrt(alpha_s^2 std^2 + sigma_s^2)
            = (x_t - alpha_t m) / sqrt(alpha_t^2 std^2 + sigma_t^2)

    Arguments:
        schedule: The noise schedule.
        x_t: Points at time t, any shape.
        t: Their time, a scalar tensor in [0, 1].
        s: Time of the solution, a scalar tensor in [0, 1]; 0 gives pictures.
        mean: m, the data's mean.
        std: The data's standard deviation, positive.

    Returns:
        Points at time s, of x_t's shape.
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = schedule(t), schedule(s)
    spread_t = torch.sqrt(alpha_t**2 * std**2 + sigma_t**2)
    spread_s = torch.sqrt(alpha_s**2 * std**2 + sigma_s**2)
    return alpha_s * mean + spread_s / spread_t * (x_t - alpha_t * mean)
