"""Guidance for the factors that an edit changes, and for no other."""

from __future__ import annotations

import torch
from torch import Tensor

from latentbloom.diffusion.denoiser import Cond, X0Denoiser
from latentbloom.diffusion.schedule import Schedule


class ContrastGuidance:
    """Moves the estimate away from that under another condition.

        x0_hat = x0_b + w (x0_c - x0_b),   b the other condition

    Where c and b differ in one factor, only that factor is guided. Guidance away from the
    unconditional estimate would strengthen every factor at once, and what goes along with them in
    the training pictures: a stronger smile would also become a more female face.

    Arguments:
        denoiser: The denoiser to guide.
        against: The other condition b, a LongTensor (B,) for each factor.
        guidance: w; 1 is plain conditional.

    Source: Ho and Salimans (arXiv:2207.12598), eq. 6, with b in place of the empty condition.
    """

    def __init__(self, denoiser: X0Denoiser, against: Cond, guidance: float) -> None:
        self.denoiser = denoiser
        self.against = against
        self.guidance = guidance

    @property
    def schedule(self) -> Schedule:
        """The schedule of the denoiser inside."""
        return self.denoiser.schedule

    def __call__(self, x_t: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """x0_hat (B, ...) in x_t's dtype; x_t (B, ...), t (B,), cond LongTensor (B,) a factor."""
        if self.guidance == 1:
            return self.denoiser(x_t, t, cond)
        both = {name: torch.cat([cond[name], self.against[name]]) for name in cond}
        x0_hat = self.denoiser(torch.cat([x_t, x_t]), torch.cat([t, t]), both)
        x0_c, x0_b = x0_hat.chunk(2)
        return x0_b + self.guidance * (x0_c - x0_b)
