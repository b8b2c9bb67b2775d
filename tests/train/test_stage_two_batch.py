"""What stage 2 learns from: means of latents, of the pictures and of their mirror images."""

from __future__ import annotations

from pathlib import Path

import torch

from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.train.stages.latent_diffusion import LatentDiffusionStage
from stage_parts import build
from tiny_run import make_pictures


def test_clean_latents_are_means_of_posteriors(tmp_path: Path) -> None:
    make_pictures(tmp_path)
    source = open_source(tmp_path)
    images = ImageSet(source, source.entries, size=32, channels=1)
    stage, _, _ = build("diffusion", images, 4, alone=True)
    assert isinstance(stage, LatentDiffusionStage)
    indices = [0, 1, 2, 3]
    x0 = stage.batch(indices)["x0"]
    plain, _ = stage.latents.posterior(indices)
    flipped, std = stage.latents.posterior(indices, [1] * 4)
    assert float(std.min()) > 0
    for row in range(4):
        assert torch.equal(x0[row], plain[row]) or torch.equal(x0[row], flipped[row])
