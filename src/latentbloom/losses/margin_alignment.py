"""Alignment of latents with what a frozen network sees in the same picture.

Source: Yao and Wang 2025, arXiv:2501.01423 (VA-VAE), eq. 3 to 6, with its margins.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

COSINE_MARGIN = 0.5
SIMILARITY_MARGIN = 0.25


def latent_alignment_loss(projected: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """How far tokens are from features, and their similarities from those of the features.

    Tokens may keep a cosine of up to 0.5 below 1, and similarities may differ by 0.25: what is
    nearer than that costs nothing, so that latents still have room for details.

    Arguments:
        projected: Tokens (B, T, D), mapped to as many dimensions as features have.
        features: Of the same places, (B, T, D).

    Returns:
        The mean over tokens of what their cosine to the features lacks, and the mean over pairs of
        tokens of one picture of what their similarity differs by, both behind the margins.
    """
    tokens, targets = F.normalize(projected, dim=-1), F.normalize(features, dim=-1)
    cosine = (tokens * targets).sum(dim=-1)
    similarity = tokens @ tokens.transpose(1, 2) - targets @ targets.transpose(1, 2)
    apart = F.relu(similarity.abs() - SIMILARITY_MARGIN)
    return F.relu(1.0 - COSINE_MARGIN - cosine).mean(), apart.mean()
