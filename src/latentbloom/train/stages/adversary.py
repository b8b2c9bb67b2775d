"""The discriminator of stage 1: the term that it adds for the autoencoder, and its own loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentbloom.config import VaeGanSettings
from latentbloom.losses.adversarial import (
    ADVERSARIAL_LOSSES,
    adaptive_weight,
    discriminator_accuracy,
)
from latentbloom.nn.discriminator import Balance, PatchDiscriminator, build_discriminator
from latentbloom.train.budget import ramp
from latentbloom.train.processes import unwrap
from latentbloom.train.stage import Batch, Phase

if TYPE_CHECKING:
    from accelerate import Accelerator


class Adversary:
    """A discriminator in training.

    Arguments:
        settings: Losses, weights and phases.
        channels: Channels of the pictures.
        feature_channels: Channels of each map of the perceptual network; empty without one.
        accelerator: Device, precision and processes.
    """

    def __init__(
        self,
        settings: VaeGanSettings,
        channels: int,
        feature_channels: Sequence[int],
        accelerator: Accelerator,
    ) -> None:
        self.settings = settings
        self.accelerator = accelerator
        self._own_loss, self._autoencoder_loss = ADVERSARIAL_LOSSES[settings.adversarial_loss]
        model = build_discriminator(channels, feature_channels, settings.discriminator_width)
        optimizer = torch.optim.AdamW(
            model.parameters(),
            settings.discriminator_lr,
            weight_decay=0.0,
            betas=(0.5, 0.99),
            fused=True,
        )
        self.discriminator, self._optimizer = accelerator.prepare(model, optimizer)

    @property
    def phase(self) -> Phase:
        """The discriminator's part of a step, after the autoencoder's."""
        return Phase(
            "discriminator",
            self.discriminator,
            self._optimizer,
            self.loss,
            start=self.settings.discriminator_start,
        )

    @property
    def balance(self) -> Balance:
        """How much the adversarial term weighs beside the others."""
        model = unwrap(self.discriminator)
        assert isinstance(model, PatchDiscriminator)
        return model.balance

    def term(
        self,
        pixels: Tensor,
        maps: Sequence[Tensor],
        others: Tensor,
        progress: float,
        at_last_layer: Callable[[Tensor], Tensor],
        seen: float | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]] | None:
        """The weighted adversarial term of the autoencoder's loss, and what to log.

        Arguments:
            pixels: Reconstructions (B, C, H, W).
            maps: Maps of the perceptual network of them, or of the first ones.
            others: Sum of the other terms.
            progress: Share of the stage that is done.
            at_last_layer: From a loss to its gradient at the autoencoder's last layer, the mean
                over all processes.
            seen: Rows of the maps to divide by; default those there are.

        Returns:
            None before the adversarial phase.
        """
        s = self.settings
        share = ramp(progress, s.adversarial_start, s.adversarial_full)
        weight = s.adversarial_weight * share
        if weight <= 0.0:
            return None
        with self.accelerator.autocast():
            scores = unwrap(self.discriminator)(pixels, maps)
        loss = self._autoencoder_loss(scores, _rows(len(pixels), seen, len(maps)))
        balance = self.balance
        if balance.due:
            balance.measured(adaptive_weight(at_last_layer(others), at_last_layer(loss)))
        balance.steps += 1
        return weight * balance.weight * loss, {
            "adversarial": loss.detach(),
            "adversarial_ramp": torch.tensor(share),
            "adaptive_weight": balance.weight,
        }

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of the discriminator's scores of the reconstructions just made.

        Arguments:
            batch: Under "real" and "fake", pictures and their maps, and under "seen" the rows of
                maps to divide by, as the autoencoder's phase left them.
            progress: Not used.
        """
        del progress
        real_images, real_maps = batch["real"]
        fake_images, fake_maps = batch["fake"]
        scores = self.discriminator(
            torch.cat([real_images, fake_images]),
            [torch.cat(pair) for pair in zip(real_maps, fake_maps, strict=True)],
        )
        halves = [score.chunk(2) for score in scores]
        real, fake = [half[0] for half in halves], [half[1] for half in halves]
        rows = _rows(len(real_images), batch.get("seen"), len(real_maps))
        loss = self._own_loss(real, fake, rows)
        return loss, {
            "discriminator": loss.detach(),
            "discriminator_accuracy": discriminator_accuracy(real, fake, rows).detach(),
        }


def _rows(pixels: int, seen: float | None, heads: int) -> list[float] | None:
    """Rows that each head's scores are divided by: those of the pixels, then of each map."""
    return None if seen is None else [pixels, *[seen] * heads]
