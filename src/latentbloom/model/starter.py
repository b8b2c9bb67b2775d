"""The starter autoencoder: weights inside the package, from which stage 1 starts.

It was trained on photographs that are free to use, random shapes and the program's own rendered
pictures (`bench/starter.py` makes and trains it; docs/explanation/starter.md names them). A fresh
autoencoder spends its first minutes on edges and colours; this one knows them.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from latentbloom.config import AutoencoderConfig
from latentbloom.model.described import described
from latentbloom.model.warm_start import Carried, carry_autoencoder
from latentbloom.runs.checkpoint import load_checkpoint

STARTER = Path(__file__).resolve().parent.parent / "starter_autoencoder"
"""A checkpoint of data files, in half precision."""


def starter_suits(config: AutoencoderConfig) -> bool:
    """Whether an autoencoder has the starter's shape; sizes and channels of pictures may differ."""
    _, meta = load_checkpoint(STARTER, [])
    known = described(AutoencoderConfig, meta, "config", STARTER)
    return config == known.model_copy(update={"size": config.size, "channels": config.channels})


def start_from_starter(autoencoder: nn.Module) -> Carried:
    """Copy the starter's weights into a fresh autoencoder of its shape."""
    tensors, _ = load_checkpoint(STARTER, ["model"])
    return carry_autoencoder(autoencoder, tensors["model"])
