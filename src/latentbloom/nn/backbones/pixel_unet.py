"""The denoising backbone on pixels: diffusers' U-Net with this program's conditions."""

from __future__ import annotations

from torch import Tensor, nn

from latentbloom.conditions import Cond, ConditionSpec
from latentbloom.config import DenoiserConfig
from latentbloom.nn.backbones.conditioning import ConditionEmbedding
from latentbloom.nn.blocks import zero_init

COARSEST_SIDE = 8
TIME_UNITS = 1000.0  # the U-Net's sines and cosines expect DDPM's step numbers


class PixelUNet(nn.Module):
    """`diffusers.UNet2DModel`, with the sum of all factors' embeddings in place of a class.

    Channels double at each halving up to four times `config.width`; the coarsest level has
    attention.

    Arguments:
        config: Sizes; `depth` blocks are shared out over the levels, down and up.
        spec: The factors that it can be conditioned on.
        shape: Shape (C, h, w) of one picture.
    """

    def __init__(
        self, config: DenoiserConfig, spec: ConditionSpec, shape: tuple[int, int, int]
    ) -> None:
        super().__init__()
        from diffusers.models.unets.unet_2d import UNet2DModel

        channels, side, _ = shape
        levels = 1
        while side > COARSEST_SIDE and side % 2 == 0:
            levels, side = levels + 1, side // 2
        plain = ("DownBlock2D",) * (levels - 1), ("UpBlock2D",) * (levels - 1)
        self.condition = ConditionEmbedding(spec, 4 * config.width)
        self.unet = UNet2DModel(
            sample_size=shape[1],
            in_channels=channels,
            out_channels=channels,
            down_block_types=(*plain[0], "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", *plain[1]),
            block_out_channels=tuple(config.width * min(2**i, 4) for i in range(levels)),
            layers_per_block=max(1, config.depth // (2 * levels)),
            attention_head_dim=min(config.head_width, config.width),
            class_embed_type="identity",
        )
        zero_init(self.unet.conv_out)

    def forward(self, x: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """Arguments: x (B, C, H, W), t (B,) in [0, 1], cond: LongTensor (B,) a factor."""
        return self.unet(x, TIME_UNITS * t, self.condition(cond), return_dict=False)[0]
