"""A source of small pictures and a configuration that trains in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from latentbloom.config import RunConfig


def make_pictures(folder: Path, per_label: int = 12, size: int = 32, splits: bool = True) -> Path:
    """Bright pictures called "day", dark ones called "night", each with a noise of its own."""
    rng = np.random.default_rng(0)
    for split in ("train", "val") if splits else ("",):
        for label, level in (("day", 190), ("night", 60)):
            place = folder / split / label
            place.mkdir(parents=True, exist_ok=True)
            for i in range(per_label):
                pixels = rng.normal(level, 30, (size, size)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")
    return folder


TINY = {
    "data.size": 32,
    "data.channels": 1,
    "autoencoder.width": 16,
    "autoencoder.blocks": 1,
    "vae_gan.perceptual": "none",
    "vae_gan.batch_size": 8,
    "vae_gan.discriminator_width": 8,
    "denoiser.width": 32,
    "denoiser.depth": 1,
    "denoiser.head_width": 16,
    "denoiser.stem": 8,
    "diffusion.batch_size": 8,
    "train.minutes": None,
    "train.vae_gan_images": 64,
    "train.diffusion_images": 64,
    "train.precision": "fp32",
    "sampling.num_steps": 3,
}


def tiny_config(**overrides: object) -> RunConfig:
    """Settings of a run that takes about a second."""
    return RunConfig().updated({**TINY, **{k.replace("__", "."): v for k, v in overrides.items()}})
