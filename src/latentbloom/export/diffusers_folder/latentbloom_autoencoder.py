"""The autoencoder as a model of diffusers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

from latentbloom.conditions import ConditionSpec
from latentbloom.nn.autoencoders.build import build_autoencoder


class LatentbloomAutoencoder(ModelMixin, ConfigMixin):
    """Pictures to normalised latents and back.

    Arguments:
        family: "swift" or "classic".
        size: Height and width of the pictures.
        channels: Channels of the pictures.
        latent_channels: swift: channels of the latent map.
        width: swift: channels at a quarter of the pictures' size.
        latent_numbers: classic: dimensions of the latent.
        base_width: classic: channels at full size.
        blocks: Residual blocks per level.
        factors: Names and values of the labels, in order.
        reduction: swift: the latent map has one part in so many of the pictures' side.
    """

    @register_to_config
    def __init__(
        self,
        family: str,
        size: int,
        channels: int,
        latent_channels: int,
        width: int,
        latent_numbers: int,
        base_width: int,
        blocks: int,
        factors: list[dict[str, Any]],
        reduction: int = 8,
    ) -> None:
        super().__init__()
        sizes = SimpleNamespace(
            family=family,
            size=size,
            channels=channels,
            latent_channels=latent_channels,
            width=width,
            latent_numbers=latent_numbers,
            base_width=base_width,
            blocks=blocks,
            reduction=reduction,
        )
        self.net = build_autoencoder(cast(Any, sizes), ConditionSpec.from_json(factors))

    def forward(self, images: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [-1, 1], encoded and decoded."""
        return self.decode(self.encode(images)[0])

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, C, h, w) of pictures (B, C, H, W) in [-1, 1]."""
        mean, std = self.net.encode(images)
        return mean, std

    def decode(self, z: Tensor) -> Tensor:
        """Normalised latents (B, C, h, w) to pictures in [-1, 1]."""
        return self.net.decode(z)
