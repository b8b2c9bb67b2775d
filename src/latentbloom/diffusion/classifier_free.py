"""Classifier-free guidance: conditions made stronger or weaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentbloom.diffusion.denoiser import Cond, X0Denoiser
from latentbloom.diffusion.parameterisation import expand_like
from latentbloom.diffusion.schedule import Schedule
from latentbloom.errors import ConfigError

if TYPE_CHECKING:
    from latentbloom.conditions import ConditionSpec


class ClassifierFreeGuidance:
    """Moves the estimate away from the unconditional one.

        x0_hat = x0_u + w (x0_c - x0_u)

    w = 1 is plain conditional, w = 0 unconditional, w > 1 stronger than the data. (Ho and
    Salimans count from zero: their w is this w minus 1.) The same w guides eps, v and flow
    velocity, because all of them are linear in x0_hat at given x_t.

    Where all rows have w = 1, or all have w = 0, the network runs once; otherwise it runs once on
    a doubled batch.

    Arguments:
        denoiser: The denoiser to guide.
        spec: Its conditions; it makes the row with every factor "any".
        guidance: w, finite, a number or a tensor (B,).

    Raises:
        ConfigError: The guidance is not finite.

    Source: Ho and Salimans, Classifier-Free Diffusion Guidance (arXiv:2207.12598), eq. 6.
    """

    def __init__(self, denoiser: X0Denoiser, spec: ConditionSpec, guidance: float | Tensor) -> None:
        if not bool(torch.as_tensor(guidance).isfinite().all()):
            raise ConfigError(f"guidance is {guidance}. It must be a finite number.")
        self.denoiser = denoiser
        self.spec = spec
        self.guidance = guidance

    @property
    def schedule(self) -> Schedule:
        """The schedule of the denoiser inside."""
        return self.denoiser.schedule

    def __call__(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat (B, ...) in x_t's dtype; x_t (B, ...), t (B,), cond LongTensor (B,) a factor."""
        w = self.weights(t)
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
        """The w of each row (B,), in t's dtype and on its device."""
        return torch.as_tensor(self.guidance, dtype=t.dtype, device=t.device).expand_as(t)

    def for_rows(self, mask: Tensor) -> ClassifierFreeGuidance:
        """The same guidance for the rows of a batch where a mask (B,) is true."""
        w = self.guidance
        some = w[mask.to(w.device)] if isinstance(w, Tensor) and w.ndim else w
        return ClassifierFreeGuidance(self.denoiser, self.spec, some)
