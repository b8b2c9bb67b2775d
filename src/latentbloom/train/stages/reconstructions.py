"""How well an autoencoder in training reconstructs a fixed set of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from latentbloom.data.pixels import to_float
from latentbloom.device import sent
from latentbloom.losses.autoencoding import reconstruction_loss

if TYPE_CHECKING:
    from accelerate import Accelerator

    from latentbloom.conditions import Cond
    from latentbloom.data.imageset import ImageSet
    from latentbloom.losses.perceptual import PerceptualLoss
    from latentbloom.nn.autoencoders.base import Autoencoder
    from latentbloom.train.stages.class_terms import ClassTerms

VALIDATION_IMAGES = 256
AT_ONCE = 64


class Reconstructions:
    """Scores the reconstructions of held-out pictures, or else of training pictures.

    Arguments:
        images: Training pictures.
        val: Held-out pictures, may be empty.
        accelerator: Device and precision.
    """

    def __init__(self, images: ImageSet, val: ImageSet, accelerator: Accelerator) -> None:
        self.source = val if len(val) else images
        self.accelerator = accelerator

    @torch.no_grad()
    def scores(
        self,
        model: Autoencoder,
        perceptual: PerceptualLoss | None,
        perceptual_weight: float,
        classes: ClassTerms | None,
    ) -> tuple[dict[str, float], float]:
        """PSNR (dB), L1, perceptual distance, and how well the latent predicts the labels.

        Arguments:
            model: The autoencoder with averaged weights.
            perceptual: The perceptual distance, or None.
            perceptual_weight: Its weight beside the L1.
            classes: The terms of an autoencoder that has classes, or None.

        Returns:
            The scores, and one value, lower is better.
        """
        indices = spread(len(self.source), VALIDATION_IMAGES)
        x = self._pictures(indices)
        with self.accelerator.autocast():
            y = _reconstruct(model, x)
            badness = float(reconstruction_loss(x, y).mean())
            scores = {"psnr": float(psnr(x, y).mean()), "reconstruction": badness}
            if perceptual is not None:
                pairs = zip(x.split(AT_ONCE), y.split(AT_ONCE), strict=True)
                distances = [perceptual(a, b) for a, b in pairs]
                scores["perceptual"] = float(torch.cat(distances).mean())
                badness += perceptual_weight * scores["perceptual"]
            if classes is not None and classes.active:
                means = torch.cat([model.encode_raw(part).mean for part in x.split(AT_ONCE)])
                scores |= classes.scores(model, means, self.cond(self.source, indices))
        return scores, badness

    def cond(self, source: ImageSet, indices: list[int]) -> Cond:
        """LongTensor (B,) for each factor, on the device."""
        cond = source.cond(indices)
        return {name: sent(index, self.accelerator.device) for name, index in cond.items()}

    def _pictures(self, indices: list[int]) -> Tensor:
        x = to_float(self.source.images(indices))
        return x.to(self.accelerator.device, memory_format=torch.channels_last)


def _reconstruct(model: Autoencoder, x: Tensor) -> Tensor:
    parts = [model.decode_raw(model.encode_raw(p).mean).float() for p in x.split(AT_ONCE)]
    return torch.cat(parts).clamp(-1.0, 1.0)


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Decibels (B,) of pictures in [-1, 1]; at most 100, so that a mean stays finite."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    found = peak_signal_noise_ratio(y, x, data_range=2.0, dim=(1, 2, 3), reduction="none")
    return found.clamp(max=100.0)


def spread(length: int, count: int) -> list[int]:
    """At most `count` indices, spread evenly over a set that is sorted by label."""
    count = min(count, length)
    return [int(i * (length / count)) for i in range(count)]
