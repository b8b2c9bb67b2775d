"""Alignment of the autoencoder's latents with the features of the perceptual network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from latentbloom.losses.margin_alignment import latent_alignment_loss
from latentbloom.losses.perceptual import PerceptualLoss
from latentbloom.train.processes import mean_over_processes, unwrap, weight_of
from latentbloom.train.stage import Batch, Phase

if TYPE_CHECKING:
    from accelerate import Accelerator

PATCH = 2
"""Latent places along a token's side, as in the transformer that learns the latents."""

HEAD_LR = 2e-3


def can_be_aligned(shape: tuple[int, int, int]) -> bool:
    """Whether latents of this shape (C, h, w) are a map that tokens divide."""
    return shape[1] % PATCH == 0 and shape[2] % PATCH == 0


class LatentAlignment:
    """A linear head that predicts features from latents, in training beside the autoencoder.

    The autoencoder's loss gets the head's error; the head is trained on latents without their
    gradient. Latents that follow what a picture shows are easier for a denoiser to learn.

    Arguments:
        network: Its last feature maps are predicted.
        shape: Shape (C, h, w) of the latents, of even height and width.
        accelerator: Device, precision and processes.
    """

    def __init__(
        self, network: PerceptualLoss, shape: tuple[int, int, int], accelerator: Accelerator
    ) -> None:
        self.network = network
        self.accelerator = accelerator
        self.grid = (shape[1] // PATCH, shape[2] // PATCH)
        head = nn.Linear(shape[0] * PATCH**2, network.channels[-1]).to(accelerator.device)
        optimizer = torch.optim.AdamW(head.parameters(), HEAD_LR, fused=True)
        self.head, optimizer = accelerator.prepare(head, optimizer)
        self.phase = Phase("alignment", self.head, optimizer, self.loss)

    def error(self, mean: Tensor, batch: Batch) -> Tensor:
        """The error of the head's prediction; changes the autoencoder alone.

        Arguments:
            mean: Means of the posteriors (B, C, h, w).
            batch: Holds "images"; receives "tokens" and "features" for the head's own loss.
        """
        tokens = F.pixel_unshuffle(mean.float(), PATCH).flatten(2).transpose(1, 2)
        batch["tokens"], batch["features"] = tokens.detach(), self.features(batch)
        head = unwrap(self.head)
        fixed = {name: weight.detach() for name, weight in head.named_parameters()}
        with torch.autocast(mean.device.type, enabled=False):
            projected = functional_call(head, fixed, (tokens,))
        return torch.stack(latent_alignment_loss(projected, batch["features"])).sum()

    @torch.no_grad()
    def features(self, batch: Batch) -> Tensor:
        """Features (B, T, D) of the batch's pictures; each has mean 0 and variance 1 in it."""
        with self.accelerator.autocast():
            maps = self.network.features(batch["images"])[-1]
        maps = F.adaptive_avg_pool2d(maps.float(), self.grid).flatten(2).transpose(1, 2)
        moments = torch.stack([maps.mean(dim=(0, 1)), maps.square().mean(dim=(0, 1))])
        weight = weight_of(self.accelerator, batch)
        mean, squares = mean_over_processes(self.accelerator, moments, weight)
        return (maps - mean) * (squares - mean.square()).clamp_min(1e-6).rsqrt()

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The head's own loss."""
        del progress
        with torch.autocast(batch["tokens"].device.type, enabled=False):
            projected = self.head(batch["tokens"])
        cosine, similarity = latent_alignment_loss(projected, batch["features"])
        logs = {"alignment": cosine.detach(), "alignment_similarity": similarity.detach()}
        return cosine + similarity, logs
