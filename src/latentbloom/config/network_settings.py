"""Shapes of the two networks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from latentbloom.config.settings_base import MOST_WIDTH, Settings, Size

LARGE = 128
"""Side, in pixels, from which on the planner takes a smaller latent map with more channels."""

Layers = Annotated[int, Field(ge=1, le=256)]


class AutoencoderConfig(Settings):
    """Family and shape of the autoencoder."""

    family: Literal["swift", "classic", "pixel"] = Field(
        "swift", description="swift: a small map of latents; classic: a flat latent; pixel: none"
    )
    size: Size = Field(64, description="Height and width of the pictures, pixels")
    channels: Literal[1, 3] = Field(3, description="Channels of the pictures")
    latent_channels: Annotated[int, Field(ge=1, le=1024)] = Field(
        4, description="swift: channels of the latent map"
    )
    reduction: Literal[8, 16] = Field(
        8, description="swift: the latent map has one part in so many of the pictures' side"
    )
    width: Annotated[int, Field(ge=16, le=MOST_WIDTH, multiple_of=4)] = Field(
        96, description="swift: channels at a quarter of the pictures' size"
    )
    latent_numbers: Annotated[int, Field(ge=1, le=65_536)] = Field(
        256, description="classic: dimensions of the flat latent"
    )
    base_width: Annotated[int, Field(ge=1, le=1024)] = Field(
        64, description="classic: channels at full size, doubled 3 times"
    )
    blocks: Layers = Field(2, description="Residual blocks per level")


class DenoiserConfig(Settings):
    """Kind and shape of the denoising network."""

    kind: Literal["transformer", "dense", "unet", "pixel-unet"] = Field(
        "transformer", description="dense: for flat latents; pixel-unet: for pixels"
    )
    width: Annotated[int, Field(ge=32, le=MOST_WIDTH, multiple_of=32)] = Field(
        256, description="Dimensions of a token, or channels of the U-Nets' first level"
    )
    depth: Layers = Field(8, description="Blocks; the U-Nets divide them among their levels")
    head_width: Annotated[int, Field(ge=1, le=MOST_WIDTH)] = Field(
        64, description="Dimensions of an attention head"
    )
    patch: Annotated[int, Field(ge=1, le=128)] = Field(
        2, description="transformer: side of the patch that becomes one token"
    )
    stem: Annotated[int, Field(ge=0, le=MOST_WIDTH, multiple_of=4)] | None = Field(
        None,
        description="transformer: channels of the convolutions before and after it, on the whole "
        "map; 0: no convolutions; default 64 where a patch is 2, else 0",
    )
