"""The `pixel` family has no autoencoder: this one returns pictures unchanged."""

from __future__ import annotations

import torch
from torch import Tensor

from latentbloom.nn.autoencoders.base import Autoencoder, Posterior


class PixelAutoencoder(Autoencoder):
    """The identity: a picture is its own latent, with standard deviation 0.

    It has no weights to train. With it, sampling, scores and figures work alike for every family.

    Arguments:
        config: Size and channels of the pictures.
    """

    def encode_raw(self, images: Tensor) -> Posterior:
        """The pictures (B, C, H, W) themselves; the standard deviation is 0."""
        return Posterior(images, torch.zeros_like(images))

    def decode_raw(self, z: Tensor) -> Tensor:
        """The pictures (B, C, H, W) themselves."""
        return z
