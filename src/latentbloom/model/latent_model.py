"""An autoencoder and the denoiser of its latents."""

from __future__ import annotations

import copy
from collections.abc import Collection
from pathlib import Path

import torch

from latentbloom.conditions import ConditionSpec
from latentbloom.config import RunConfig
from latentbloom.diffusion import Denoiser
from latentbloom.diffusion.guidance import MOST_FACTORS
from latentbloom.model.autoencoder import AutoencoderModel
from latentbloom.nn.autoencoders.base import Autoencoder


class LatentModel(AutoencoderModel):
    """The networks of one run, ready for inference; `Model` describes the arguments."""

    def __init__(
        self,
        config: RunConfig,
        spec: ConditionSpec,
        autoencoder: Autoencoder,
        denoiser: Denoiser,
        *,
        device: torch.device | None = None,
        autocast_dtype: torch.dtype | None = None,
        shown: Collection[tuple[int, ...]] | None = None,
        run: Path | None = None,
    ) -> None:
        super().__init__(config, spec, autoencoder, device=device, autocast_dtype=autocast_dtype)
        backbone = denoiser.backbone.to(self.device)
        if autocast_dtype is not None:
            # Autocast would cast every weight again at each step; a copy is cast once.
            backbone = copy.deepcopy(backbone).to(autocast_dtype)
        self.denoiser = denoiser.with_backbone(backbone).eval().requires_grad_(False)
        # Exports describe the model with it, and guide as it does.
        self.shown = None if len(spec.factors) > MOST_FACTORS else shown
        self.run = run
