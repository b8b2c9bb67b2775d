"""The denoising network as a model of diffusers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor

from latentbloom.conditions import ConditionSpec
from latentbloom.nn.backbones.kinds import build_backbone


class LatentbloomDenoiser(ModelMixin, ConfigMixin):
    """A backbone under conditions.

    Arguments:
        kind: Kind of network.
        width: Width of its layers.
        depth: Number of blocks.
        head_width: Dimensions of an attention head.
        patch: Side of a patch.
        shape: Shape (C, h, w) of a latent.
        factors: Names and values of the conditions, in order.
        stem: Channels of the convolutions around a transformer; 0: none.
    """

    @register_to_config
    def __init__(
        self,
        kind: str,
        width: int,
        depth: int,
        head_width: int,
        patch: int,
        shape: list[int],
        factors: list[dict[str, Any]],
        stem: int = 0,
    ) -> None:
        super().__init__()
        sizes = SimpleNamespace(
            kind=kind, width=width, depth=depth, head_width=head_width, patch=patch, stem=stem
        )
        spec = ConditionSpec.from_json(factors)
        self.net = build_backbone(cast(Any, sizes), spec, (shape[0], shape[1], shape[2]))

    def forward(self, x: Tensor, t: Tensor, cond: dict[str, Tensor]) -> Tensor:
        """Its prediction (B, C, h, w); x of that shape, t (B,) in [0, 1], a long (B,) a factor."""
        return self.net(x, t, cond)
