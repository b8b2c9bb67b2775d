"""The denoiser: a network in front of which everything is x_t, and behind which all is x0_hat."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
from torch import Tensor, nn

from latentbloom.diffusion.parameterisation import (
    Prediction,
    check_prediction,
    expand_like,
    to_x0,
)
from latentbloom.diffusion.schedule import Schedule

Cond = dict[str, Tensor]


class X0Denoiser(Protocol):
    """Whatever can be sampled from: a network, guidance around one, or a closed formula."""

    @property
    def schedule(self) -> Schedule:
        """The schedule by which `t` is to be read."""
        ...

    def __call__(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat (B, ...) for x_t (B, ...) at times t (B,) under conditions (B,) each."""
        ...


class Denoiser(nn.Module):
    """Turns a backbone that knows no diffusion into an estimator of E[x0 | x_t, cond].

        x0_hat = to_x0(prediction, backbone(c_in x_t, t, cond), x_t),
        c_in = 1 / sqrt(alpha_t^2 + sigma_t^2)

    so that data of unit variance reach the backbone with unit variance at every time. The
    backbone is told t itself: it lies in [0, 1] on every schedule, and on `linear` it is DDPM's
    step divided by 1000.

    The algebra runs in float32 or better. The backbone gets its input in the dtype of its
    weights, and runs under autocast when `autocast_dtype` says so. To train over several
    processes, or to sample with averaged weights, replace the backbone, not the denoiser
    (`with_backbone`): `prediction` is called, too, not `forward` alone.

    Arguments:
        backbone: Module called as backbone(x (B, ...), t (B,), cond), answering in x's shape.
        schedule: The noise schedule that it is trained on.
        prediction: What it answers: "eps", "v", "x0" or "flow".
        autocast_dtype: Dtype of autocast inside the backbone; None leaves the caller's in force,
            which is none as a rule. May be changed at any time; it is no part of the state.

    Raises:
        ConfigError: The prediction is of no known kind.
    """

    def __init__(
        self,
        backbone: nn.Module,
        schedule: Schedule,
        prediction: str,
        *,
        autocast_dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.schedule = schedule
        self.kind: Prediction = check_prediction(prediction)
        self.autocast_dtype = autocast_dtype

    def forward(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat.

        Arguments:
            x_t: Noisy pictures or latents (B, ...), x_t = alpha_t x0 + sigma_t eps.
            t: Times (B,) in [0, 1], kept inside the schedule's [t_min, t_max].
            cond: LongTensor (B,) for each factor.

        Returns:
            x0_hat, in x_t's shape and dtype.
        """
        t, alpha, sigma = self.scales(x_t, t)
        answer = self._ask(x_t, t, torch.rsqrt(alpha**2 + sigma**2), cond)
        return to_x0(self.kind, answer, x_t.to(answer.dtype), alpha, sigma).to(x_t.dtype)

    def prediction(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """What the backbone says, in the space that it is trained in; arguments as `forward`.

        Returns:
            The prediction of this denoiser's kind, in x_t's shape, float32 or better.
        """
        t, alpha, sigma = self.scales(x_t, t)
        return self._ask(x_t, t, torch.rsqrt(alpha**2 + sigma**2), cond)

    def scales(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Time (B,) inside [t_min, t_max], and alpha_t and sigma_t that broadcast against x_t.

        All in float64 if x_t is, else in float32.
        """
        t = self.schedule.clamp(t.to(torch.promote_types(x_t.dtype, torch.float32)))
        alpha, sigma = self.schedule(t)
        return t, expand_like(alpha, x_t), expand_like(sigma, x_t)

    def with_backbone(self, backbone: nn.Module) -> Denoiser:
        """The same denoiser around another backbone, for example one with averaged weights."""
        return Denoiser(backbone, self.schedule, self.kind, autocast_dtype=self.autocast_dtype)

    def _ask(self, x_t: Tensor, t: Tensor, c_in: Tensor, cond: Cond) -> Tensor:
        """The backbone's answer, with the casts on the way in and out in one place."""
        weight = next((p for p in self.backbone.parameters() if p.is_floating_point()), c_in)
        # Half-precision weights get half-precision pictures, but never a rounded time.
        times = t.to(torch.promote_types(torch.float32, weight.dtype))
        with self._casting(x_t.device):
            answer = self.backbone((c_in * x_t).to(weight.dtype), times, cond)
        return answer.to(c_in.dtype)

    def _casting(self, device: torch.device) -> AbstractContextManager[object]:
        """Autocast as asked for; without, whatever the caller has switched on."""
        if self.autocast_dtype is None:
            return nullcontext()
        return torch.autocast(device.type, dtype=self.autocast_dtype)
