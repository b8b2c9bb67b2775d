"""Autoguidance that the denoiser learns in the end of its training, at no cost to sampling."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from latentbloom.conditions import Cond
from latentbloom.diffusion.denoiser import Denoiser

SNAPSHOT = "early"
SNAPSHOT_AT = 1 / 16
STARTS_AT = 0.8


class Mixture(nn.Module):
    r"""What a trained network and an earlier self predict together.

        mixture = (1 - a) trained + a early,    a = 1 - 1 / w

    Training makes the mixture the best estimate u of its target. So the trained network alone
    comes to be

        trained = early + w (u - early),

    autoguidance of strength w: away from what an earlier self knew. That is one network and one
    evaluation a step, in place of two. Sources: Karras et al. 2024, arXiv:2406.02507;
    Chen et al. 2025, arXiv:2501.15420, which trains classifier-free guidance as such a mixture.

    Arguments:
        trained: Called as backbones are; gets all of the gradient.
        early: A backbone of the same kind, without gradient.
        strength: w, at least 1; 1 is `trained` alone.
    """

    def __init__(self, trained: nn.Module, early: nn.Module, strength: float) -> None:
        super().__init__()
        self.trained = trained
        self.early = early
        self.share = 1.0 - 1.0 / strength

    def forward(self, x: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """Arguments and result of a backbone."""
        with torch.no_grad():
            early = self.early(x, t, cond)
        return torch.lerp(self.trained(x, t, cond), early, self.share)


class SelfGuidance:
    """When a stage keeps its earlier self, and when it learns guidance by it.

    Arguments:
        strength: w of `Mixture`; 1 does nothing.
        average: The averaged weights, which become the earlier self.
        snapshots: Of the stage; receives it, so that checkpoints hold it.
    """

    def __init__(
        self, strength: float, average: AveragedModel, snapshots: dict[str, nn.Module]
    ) -> None:
        self.strength = strength
        self.average = average
        self.snapshots = snapshots
        self.active = False
        self.milestones = [(STARTS_AT, "self-guidance")] if strength > 1.0 else []

    def advance(self, progress: float) -> None:
        """Keep the earlier self, and begin, when it is time."""
        if self.strength == 1.0:
            return
        if progress >= SNAPSHOT_AT and SNAPSHOT not in self.snapshots:
            early = copy.deepcopy(self.average.module)
            self.snapshots[SNAPSHOT] = early.requires_grad_(False).eval()
        self.active = progress >= STARTS_AT

    def mixed(self, denoiser: Denoiser) -> Denoiser:
        """The denoiser, or its mixture with the earlier self while guidance is learned."""
        if not self.active:
            return denoiser
        early = self.snapshots[SNAPSHOT]
        return denoiser.with_backbone(Mixture(denoiser.backbone, early, self.strength))
