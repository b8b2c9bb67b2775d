"""Alignment of the denoiser's tokens with the feature maps of a frozen network (REPA)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from latentbloom.nn.backbones.transformer import Transformer
from latentbloom.train.processes import unwrap
from latentbloom.train.stage import Batch, Phase

if TYPE_CHECKING:
    from accelerate import Accelerator

HIDDEN = 256


class Maps(Protocol):
    """Features of the training pictures, such as `FeatureMaps`."""

    @property
    def channels(self) -> int:
        """Features at a place."""
        ...

    def rows(self, indices: Sequence[int], mirrored: Sequence[int] | None = None) -> Tensor:
        """Features (B, places, channels), float32, of some pictures or their mirror images."""
        ...


class Alignment:
    """A head that predicts features from tokens, in training beside the denoiser.

    The denoiser's loss gets the head's error; the head is trained on tokens without their gradient.
    Noisy latents are so told what the picture shows, which a short training would not find.
    Source: Yu et al., Representation Alignment for Generation (arXiv:2410.06940), eq. 8.

    Arguments:
        maps: Features of the training pictures.
        backbone: Its tokens after half of its blocks are aligned.
        lr: Peak learning rate of the head.
        accelerator: Device and processes.
    """

    def __init__(
        self, maps: Maps, backbone: Transformer, lr: float, accelerator: Accelerator
    ) -> None:
        self.maps = maps
        backbone.keep_tokens_of = max(1, len(backbone.blocks) // 2)
        head = nn.Sequential(
            nn.Linear(backbone.width, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, maps.channels)
        ).to(accelerator.device)
        optimizer = torch.optim.AdamW(
            head.parameters(), lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True
        )
        self.head, optimizer = accelerator.prepare(head, optimizer)
        self.phase = Phase("alignment", self.head, optimizer, self.loss)

    def error(self, backbone: nn.Module, batch: Batch) -> Tensor:
        """1 - cosine of predicted and true features, a mean; changes the backbone alone.

        Arguments:
            backbone: After its forward pass on this batch.
            batch: Holds "features"; receives "tokens" for the head's own loss.
        """
        inner = unwrap(backbone)
        assert isinstance(inner, Transformer)
        tokens = inner.kept_tokens
        assert tokens is not None
        batch["tokens"] = tokens.detach()
        head = unwrap(self.head)
        fixed = {name: weight.detach() for name, weight in head.named_parameters()}
        return _apart(functional_call(head, fixed, (tokens,)), batch["features"])

    def loss(self, batch: Batch, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """The head's own loss."""
        del progress
        with torch.autocast(batch["tokens"].device.type, enabled=False):
            loss = _apart(self.head(batch["tokens"].float()), batch["features"])
        return loss, {"alignment": loss.detach()}


def _apart(predicted: Tensor, features: Tensor) -> Tensor:
    return 1.0 - F.cosine_similarity(predicted.float(), features, dim=-1).mean()
