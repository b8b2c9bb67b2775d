"""Denoising backbones by kind. backbone(x, t, cond) returns the shape of x."""

from __future__ import annotations

import math

from torch import Tensor, nn

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.config import DenoiserConfig

Shape = tuple[int, int, int]

MAP_SIDE = 8


class Folded(nn.Module):
    """Lets a backbone on maps work on flat latents: 256 dimensions are folded to 4x8x8.

    Arguments:
        backbone: For maps of `shape`.
        shape: Shape (C, h, w) that a flat latent is folded into.
    """

    def __init__(self, backbone: nn.Module, shape: Shape) -> None:
        super().__init__()
        self.backbone = backbone
        self.shape = shape

    def forward(self, x: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """Arguments: x (B, D, 1, 1), t (B,), cond: LongTensor (B,) a factor."""
        return self.backbone(x.reshape(-1, *self.shape), t, cond).reshape(x.shape)


def folded_shape(shape: Shape) -> Shape:
    """The map that a flat latent (D, 1, 1) is folded into: 8x8, or as much of it as D allows."""
    side = MAP_SIDE
    while shape[0] % side**2:
        side //= 2
    return (shape[0] // side**2, side, side)


def build_backbone(config: DenoiserConfig, spec: ConditionSpec, shape: Shape) -> nn.Module:
    """A new backbone.

    Arguments:
        config: Kind and sizes.
        spec: The factors that it can be conditioned on.
        shape: Shape (C, h, w) of one latent or picture; (D, 1, 1) is flat.
    """
    if config.kind == "dense":
        from latentbloom.nn.backbones.dense import DenseUNet

        return DenseUNet(config, spec, math.prod(shape))
    if shape[1:] == (1, 1):
        shape = folded_shape(shape)
        return Folded(_on_maps(config, spec, shape), shape)
    return _on_maps(config, spec, shape)


def _on_maps(config: DenoiserConfig, spec: ConditionSpec, shape: Shape) -> nn.Module:
    if config.kind == "unet":
        from latentbloom.nn.backbones.unet import UNet

        return UNet(config, spec, shape)
    if config.kind == "pixel-unet":
        from latentbloom.nn.backbones.pixel_unet import PixelUNet

        return PixelUNet(config, spec, shape)
    if config.stem:
        from latentbloom.nn.backbones.hourglass import Hourglass

        return Hourglass(config, spec, shape)
    from latentbloom.nn.backbones.transformer import Transformer

    return Transformer(config, spec, shape)
