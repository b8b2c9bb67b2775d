"""The denoiser: estimates the clean picture x0_hat from a noisy x_t with a network."""

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
    """What samplers call: a network, guidance around one, or a closed formula."""

    @property
    def schedule(self) -> Schedule:
        """The noise schedule that `t` refers to."""
        ...

    def __call__(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat (B, ...) for x_t (B, ...) at times t (B,) under conditions (B,) each."""
        ...


class Denoiser(nn.Module):
    """Estimates E[x0 | x_t, cond] with a backbone that knows nothing of diffusion.

        x0_hat = to_x0(prediction, backbone(c_in x_t, t, cond), x_t),
        c_in = 1 / sqrt(alpha_t^2 + sigma_t^2)

    so that data of unit variance reach the backbone with unit variance at every time. The
    backbone receives t itself, in [0, 1] on every schedule; on `linear`, t is DDPM's step divided
    by 1000.

    The algebra runs in float32 or better. The backbone gets its input in the dtype of its
    weights, and runs under autocast if `autocast_dtype` is set. To train on several processes or
    to sample with averaged weights, replace the backbone (`with_backbone`), not the denoiser:
    callers use `prediction` as well as `forward`.

    Arguments:
        backbone: Module called as backbone(x (B, ...), t (B,), cond), with a result of x's shape.
        schedule: The noise schedule that the backbone is trained on.
        prediction: What the backbone predicts: "eps", "v", "x0" or "flow".
        autocast_dtype: Dtype of autocast inside the backbone; None keeps the caller's autocast,
            if any. May be changed at any time; not part of the state.

    Raises:
        ConfigError: The kind of prediction is unknown.
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
        """Estimate the clean picture.

        Arguments:
            x_t: Noisy pictures or latents (B, ...), x_t = alpha_t x0 + sigma_t eps.
            t: Times (B,) in [0, 1], clamped to the schedule's [t_min, t_max].
            cond: LongTensor (B,) for each factor.

        Returns:
            x0_hat, in x_t's shape and dtype.
        """
        t, alpha, sigma = self.scales(x_t, t)
        answer = self._ask(x_t, t, torch.rsqrt(alpha**2 + sigma**2), cond)
        return to_x0(self.kind, answer, x_t.to(answer.dtype), alpha, sigma).to(x_t.dtype)

    def prediction(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """The backbone's output, in the space that it is trained in; arguments as for `forward`.

        Returns:
            The prediction of this denoiser's kind, in x_t's shape, float32 or better.
        """
        t, alpha, sigma = self.scales(x_t, t)
        return self._ask(x_t, t, torch.rsqrt(alpha**2 + sigma**2), cond)

    def scales(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Times (B,) clamped to [t_min, t_max]; alpha_t and sigma_t that broadcast against x_t.

        All in float64 if x_t is float64, else in float32.
        """
        t = self.schedule.clamp(t.to(torch.promote_types(x_t.dtype, torch.float32)))
        alpha, sigma = self.schedule(t)
        return t, expand_like(alpha, x_t), expand_like(sigma, x_t)

    def with_backbone(self, backbone: nn.Module) -> Denoiser:
        """The same denoiser around another backbone, for example one with averaged weights."""
        return Denoiser(backbone, self.schedule, self.kind, autocast_dtype=self.autocast_dtype)

    def _ask(self, x_t: Tensor, t: Tensor, c_in: Tensor, cond: Cond) -> Tensor:
        """Run the backbone, with all casts in one place."""
        weight = next((p for p in self.backbone.parameters() if p.is_floating_point()), c_in)
        # Half-precision weights get half-precision pictures, but never a rounded time.
        times = t.to(torch.promote_types(torch.float32, weight.dtype))
        with self._casting(x_t.device):
            answer = self.backbone((c_in * x_t).to(weight.dtype), times, cond)
        return answer.to(c_in.dtype)

    def _casting(self, device: torch.device) -> AbstractContextManager[object]:
        """Autocast to `autocast_dtype`, or the caller's own setting."""
        if self.autocast_dtype is None:
            return nullcontext()
        return torch.autocast(device.type, dtype=self.autocast_dtype)
