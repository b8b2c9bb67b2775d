"""The packaged autoencoder and denoiser, and the runs that start from them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from rich.console import Console

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import AutoencoderConfig, DenoiserConfig, RunConfig
from latentbloom.data.pixels import to_float
from latentbloom.diffusion.objective import diffusion_loss
from latentbloom.fitting.pipeline import fit
from latentbloom.model.build import build_denoiser
from latentbloom.model.starter import (
    STARTER,
    STARTER_DENOISER,
    compressed,
    denoiser_suits,
    expanded,
    start_denoiser_from_starter,
    start_from_starter,
    starter_suits,
)
from latentbloom.nn.autoencoders.swift import SwiftAutoencoder
from latentbloom.synthetic.flowers import render_flower
from tiny_run import TINY, make_pictures

MOST_BYTES = 5 << 20
SPEC = ConditionSpec((Factor("smiling", ("no", "yes")),))
DENOISER = {"width": 192, "depth": 4, "stem": 64}
WIDE = {**TINY, "autoencoder.width": 48, "autoencoder.blocks": 2, "train.vae_gan_images": 8}


def flowers(channels: Literal[1, 3]) -> torch.Tensor:
    """Pictures with seeds of their own, in [-1, 1]."""
    rng = np.random.default_rng(1234)
    pixels = np.stack([render_flower("rose", "red", rng, 64) for _ in range(8)])
    x = to_float(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous())
    return x if channels == 3 else x.mean(1, keepdim=True)


def test_it_is_small() -> None:
    for place in (STARTER, STARTER_DENOISER):
        assert sum(path.stat().st_size for path in place.iterdir()) < MOST_BYTES


@pytest.mark.parametrize(("channels", "latents"), [(1, 4), (3, 4), (3, 8)])
def test_it_reconstructs_pictures_before_any_training(
    channels: Literal[1, 3], latents: int
) -> None:
    config = AutoencoderConfig(width=48, channels=channels, latent_channels=latents)
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
        ({"latent_channels": 8}, True),
        ({"blocks": 1}, False),
        ({"family": "classic"}, False),
    ],
)
def test_shapes_that_it_suits(changed: dict[str, object], suits: bool) -> None:
    config = AutoencoderConfig(width=48).model_copy(update=changed)
    assert starter_suits(config) is suits


@pytest.mark.parametrize("side", [8, 12])
def test_its_denoiser_knows_latents_before_any_training(side: int) -> None:
    torch.manual_seed(0)
    config = RunConfig()
    fresh = build_denoiser(DenoiserConfig(**DENOISER), config.diffusion, SPEC, (4, side, side))
    carried = start_denoiser_from_starter(fresh.backbone)
    assert carried.fresh == ("condition.tables.0.weight",)
    assert bool(carried.fitted) == (side != 8), "the table of positions is resized"
    autoencoder = SwiftAutoencoder(AutoencoderConfig(width=48))
    start_from_starter(autoencoder)
    with torch.no_grad():
        x = torch.nn.functional.interpolate(flowers(3), 8 * side)
        raw = autoencoder.encode_raw(x).mean
        x0 = (raw - raw.mean((0, 2, 3), keepdim=True)) / raw.std((0, 2, 3), keepdim=True)
        cond = {"smiling": torch.full((len(x0),), 2)}
        loss = diffusion_loss(fresh, x0, cond, torch.full((len(x0),), 0.5), torch.randn_like(x0))
    assert loss.mean() < 1.2  # 2 where nothing is known


def test_its_rows_are_whole_numbers_times_a_scale() -> None:
    torch.manual_seed(0)
    weights = {"a": torch.randn(5, 3, 2, 2) * torch.logspace(-3, 3, 5)[:, None, None, None]}
    weights |= {"b": torch.randn(7), "zero": torch.zeros(2, 2)}
    small = compressed(weights)
    assert small["a"].dtype == small["zero"].dtype == torch.int8
    again = expanded(small)
    assert {name: value.shape for name, value in again.items()} == {
        name: value.shape for name, value in weights.items()
    }
    most = weights["a"].flatten(1).abs().amax(1)
    error = (again["a"] - weights["a"]).flatten(1).abs().amax(1)
    assert (error <= most / 254 * 1.001).all()
    torch.testing.assert_close(again["b"], weights["b"], rtol=1e-3, atol=1e-3)
    assert not again["zero"].any()


@pytest.mark.parametrize(
    ("changed", "suits"),
    [
        ({}, True),
        ({"autoencoder.size": 96}, True),
        ({"autoencoder.latent_channels": 8}, True),
        ({"autoencoder.width": 64}, False),
        ({"denoiser.depth": 6}, False),
        ({"denoiser.stem": 0}, False),
        ({"diffusion.prediction": "v"}, False),
        ({"diffusion.lr": 1e-3}, True),
    ],
)
def test_denoisers_that_it_suits(changed: dict[str, object], suits: bool) -> None:
    shapes = {f"denoiser.{name}": value for name, value in DENOISER.items()}
    config = RunConfig().updated({"autoencoder.width": 48, **shapes, **changed})
    assert denoiser_suits(config) is suits


@pytest.mark.parametrize(
    ("settings", "starts"),
    [
        ({}, {"autoencoder"}),
        (
            {f"denoiser.{k}": v for k, v in {**DENOISER, "head_width": 64}.items()},
            {"autoencoder", "denoiser"},
        ),
        ({"train.starter": False}, set()),
        ({"autoencoder.width": 16}, set()),
    ],
)
def test_fit_starts_from_it_where_it_suits(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, object],
    starts: set[str],
) -> None:
    for part in ("_score", "_pictures"):
        monkeypatch.setattr(f"latentbloom.fitting.finish.{part}", lambda *_: True)
    told = Console(record=True, width=200, file=io.StringIO())
    pictures = make_pictures(tmp_path / "pictures")
    fit(pictures, out=tmp_path / "run", overrides={**WIDE, **settings}, console=told)
    text = told.export_text()
    found = {one for one in ("autoencoder", "denoiser") if f"from the packaged {one}" in text}
    assert found == starts
