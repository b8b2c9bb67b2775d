"""The packaged autoencoder, and the runs that start from it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from rich.console import Console

from latentbloom.config import AutoencoderConfig
from latentbloom.data.pixels import to_float
from latentbloom.fitting.pipeline import fit
from latentbloom.model.starter import STARTER, start_from_starter, starter_suits
from latentbloom.nn.autoencoders.swift import SwiftAutoencoder
from latentbloom.synthetic.flowers import render_flower
from tiny_run import TINY, make_pictures

MOST_BYTES = 5 << 20
WIDE = {**TINY, "autoencoder.width": 48, "autoencoder.blocks": 2, "train.vae_gan_images": 8}


def flowers(channels: Literal[1, 3]) -> torch.Tensor:
    """Pictures with seeds of their own, in [-1, 1]."""
    rng = np.random.default_rng(1234)
    pixels = np.stack([render_flower("rose", "red", rng, 64) for _ in range(8)])
    x = to_float(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous())
    return x if channels == 3 else x.mean(1, keepdim=True)


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in STARTER.iterdir()) < MOST_BYTES


@pytest.mark.parametrize("channels", [1, 3])
def test_it_reconstructs_pictures_before_any_training(channels: Literal[1, 3]) -> None:
    config = AutoencoderConfig(width=48, channels=channels)
    torch.manual_seed(0)
    started = SwiftAutoencoder(config)
    carried = start_from_starter(started)
    assert carried.fresh == ()
    x = flowers(channels)
    with torch.no_grad():
        error = (started.decode_raw(started.encode_raw(x).mean) - x).square().mean() / 4
    assert -10 * error.log10() > 20  # dB; a fresh one gives 5


@pytest.mark.parametrize(
    ("changed", "suits"),
    [
        ({}, True),
        ({"size": 128}, True),
        ({"channels": 1}, True),
        ({"width": 64}, False),
        ({"latent_channels": 8}, False),
        ({"blocks": 1}, False),
        ({"family": "classic"}, False),
    ],
)
def test_shapes_that_it_suits(changed: dict[str, object], suits: bool) -> None:
    config = AutoencoderConfig(width=48).model_copy(update=changed)
    assert starter_suits(config) is suits


@pytest.mark.parametrize(
    ("settings", "starts"),
    [({}, True), ({"train.starter": False}, False), ({"autoencoder.width": 16}, False)],
)
def test_fit_starts_from_it_where_it_suits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], starts: bool
) -> None:
    for part in ("_score", "_pictures"):
        monkeypatch.setattr(f"latentbloom.fitting.finish.{part}", lambda *_: True)
    told = Console(record=True, width=200, file=io.StringIO())
    pictures = make_pictures(tmp_path / "pictures")
    fit(pictures, out=tmp_path / "run", overrides={**WIDE, **settings}, console=told)
    assert ("starts from the packaged autoencoder" in told.export_text()) is starts
