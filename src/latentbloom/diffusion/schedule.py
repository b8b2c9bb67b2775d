r"""Noise schedules: how much signal and how much noise there is at time t.

A schedule maps a time t in [0, 1], where 1 is pure noise, to two scales:

    x_t = alpha_t x0 + sigma_t eps,    eps ~ N(0, I).

The logarithm of the signal-to-noise ratio, log-SNR = log(alpha_t^2 / sigma_t^2), decreases
strictly with t. Where two schedules have the same log-SNR they differ only by a scale, so any
solver works with any schedule.
"""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from latentbloom.errors import ConfigError


class Schedule(abc.ABC):
    """alpha_t and sigma_t as functions of time, and the time as a function of the log-SNR.

    All methods work elementwise in the dtype and on the device of their argument.

    Attributes:
        name: The name for `make_schedule`, saved with checkpoints.
        t_min: Smallest time that a network is evaluated at. Below it there is nothing left to
            denoise, and dividing by sigma_t would amplify rounding errors.
        t_max: Largest such time. If alpha_1 = 0 it keeps a thousandth of the signal, because a
            network that predicts eps needs a division by alpha_t to give x0_hat.
    """

    name: str
    t_min: float = 1e-3
    t_max: float = 1.0 - 1e-3

    @abc.abstractmethod
    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The scales at time t.

        Arguments:
            t: Times in [0, 1], any shape, float32 or float64.

        Returns:
            (alpha_t, sigma_t), both of t's shape and dtype.
        """

    @abc.abstractmethod
    def log_snr(self, t: Tensor) -> Tensor:
        """log(alpha_t^2 / sigma_t^2), in nats; infinite where a scale is zero."""

    @abc.abstractmethod
    def _invert(self, log_snr: Tensor) -> Tensor:
        """The time with that log-SNR, not yet clamped."""

    def t_from_log_snr(self, log_snr: Tensor) -> Tensor:
        """The time with that log-SNR, clamped to [t_min, t_max].

        Arguments:
            log_snr: Any shape, in nats; may be infinite.

        Returns:
            Times in [t_min, t_max], of the argument's shape and dtype.
        """
        return self.clamp(self._invert(log_snr))

    def clamp(self, t: Tensor) -> Tensor:
        """The time clamped to [t_min, t_max], the range that a network is trained on."""
        return t.clamp(self.t_min, self.t_max)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class FlowSchedule(Schedule):
    """The straight line from picture to noise: alpha_t = 1 - t, sigma_t = t.

    Source: Liu et al., Flow Straight and Fast (arXiv:2209.03003), eq. 1; Lipman et al., Flow
    Matching (arXiv:2210.02747), with time reversed.
    """

    name = "flow"

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(1 - t, t)."""
        return 1 - t, t.clone()

    def log_snr(self, t: Tensor) -> Tensor:
        """2 log((1 - t) / t)."""
        return 2 * (torch.log1p(-t) - torch.log(t))

    def _invert(self, log_snr: Tensor) -> Tensor:
        return torch.sigmoid(-log_snr / 2)


class CosineSchedule(Schedule):
    """A quarter of a circle: alpha_t = cos(pi t / 2), sigma_t = sin(pi t / 2).

    Source: Nichol and Dhariwal, Improved DDPM (arXiv:2102.09672), eq. 17, without its offset s,
    which `t_min` replaces; Salimans and Ho (arXiv:2202.00512), section 4.
    """

    name = "cosine"

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(cos(pi t / 2), sin(pi t / 2))."""
        # sin(pi (1 - t) / 2) rather than cos(pi t / 2): exactly 0, not -4e-8, at t = 1.
        return torch.sin(math.pi / 2 * (1 - t)), torch.sin(math.pi / 2 * t)

    def log_snr(self, t: Tensor) -> Tensor:
        """-2 log tan(pi t / 2)."""
        alpha_t, sigma_t = self(t)
        return 2 * (torch.log(alpha_t) - torch.log(sigma_t))

    def _invert(self, log_snr: Tensor) -> Tensor:
        return 2 / math.pi * torch.atan(torch.exp(-log_snr / 2))


class LinearSchedule(Schedule):
    r"""DDPM's 1000 steps with linearly increasing beta, in continuous time.

    At t = (i + 1) / 1000 it is step i of DDPM,

        alpha_t^2 = prod_{j <= i} (1 - beta_j),    beta_j = 1e-4 + j (0.02 - 1e-4) / 999,

    with alpha_t^2 + sigma_t^2 = 1; between steps log alpha_t^2 is interpolated linearly, and
    alpha_0 = 1. At the last step alpha_1 = 0.0064, so t_max is 1.

    Source: Ho et al., Denoising Diffusion Probabilistic Models (arXiv:2006.11239), section 4.
    """

    name = "linear"
    t_max = 1.0
    num_train_steps = 1000

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(alpha_t, sqrt(1 - alpha_t^2))."""
        log_alpha2 = self._log_alpha2(t)
        # expm1 keeps sigma_t exact where alpha_t is nearly 1.
        return torch.exp(log_alpha2 / 2), torch.sqrt(-torch.expm1(log_alpha2))

    def log_snr(self, t: Tensor) -> Tensor:
        """The log of alpha_t^2 / (1 - alpha_t^2)."""
        log_alpha2 = self._log_alpha2(t)
        return log_alpha2 - torch.log(-torch.expm1(log_alpha2))

    def _log_alpha2(self, t: Tensor) -> Tensor:
        knots = _linear_knots(t.dtype, t.device)
        position = t * self.num_train_steps
        left = position.floor().clamp(0, self.num_train_steps - 1)
        low, high = knots[left.long()], knots[left.long() + 1]
        return low + (position - left) * (high - low)

    def _invert(self, log_snr: Tensor) -> Tensor:
        knots = _linear_knots(log_snr.dtype, log_snr.device)
        log_alpha2 = -F.softplus(-log_snr)  # because alpha^2 = sigmoid(log-SNR)
        right = torch.searchsorted(-knots, -log_alpha2.contiguous())
        right = right.clamp(1, self.num_train_steps)
        low, high = knots[right - 1], knots[right]
        return (right - 1 + (low - log_alpha2) / (low - high)) / self.num_train_steps


@functools.lru_cache(maxsize=8)
def _linear_knots(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The logarithm of alpha_t^2 at t = 0, 1/1000, ..., 1: 1001 values, summed in float64."""
    beta = torch.linspace(1e-4, 0.02, LinearSchedule.num_train_steps, dtype=torch.float64)
    sums = torch.cumsum(torch.log1p(-beta), dim=0)
    return torch.cat([sums.new_zeros(1), sums]).to(dtype=dtype).to(device)


SCHEDULES: dict[str, Callable[[], Schedule]] = {
    schedule.name: schedule for schedule in (FlowSchedule, LinearSchedule, CosineSchedule)
}


def make_schedule(name: str) -> Schedule:
    """Make the schedule of that name.

    Raises:
        ConfigError: The name is unknown; the message lists the known ones.
    """
    if name not in SCHEDULES:
        raise ConfigError(f"'{name}' is no noise schedule. Choose one of: {', '.join(SCHEDULES)}.")
    return SCHEDULES[name]()
