"""Stage 1's alignment of latents with feature maps: its loss, and what is trained by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from latentbloom.device import make_accelerator
from latentbloom.fitting.pipeline import fit
from latentbloom.losses.perceptual import build_perceptual
from latentbloom.runs.checkpoint import load_checkpoint
from latentbloom.train.processes import piece_of
from latentbloom.train.stage import ALL
from latentbloom.train.stages.latent_alignment import LatentAlignment, can_be_aligned
from tiny_run import TINY, make_pictures

ALIGNED = {**TINY, "vae_gan.perceptual": "efficientnet-lite0", "train.starter": False}


@pytest.mark.parametrize(
    ("shape", "fits"), [((4, 8, 8), True), ((256, 1, 1), False), ((4, 3, 4), False)]
)
def test_only_maps_are_aligned(shape: tuple[int, int, int], fits: bool) -> None:
    assert can_be_aligned(shape) == fits


def test_the_autoencoder_is_trained_by_the_head_and_the_head_by_itself() -> None:
    network = build_perceptual("efficientnet-lite0")
    assert network is not None
    torch.manual_seed(0)
    alignment = LatentAlignment(network, (4, 4, 4), make_accelerator("fp32"))
    batch = {"images": torch.rand(6, 3, 32, 32) * 2 - 1, **piece_of(6, ALL)}
    mean = torch.randn(6, 4, 4, 4, requires_grad=True)
    alignment.error(mean, batch).backward()
    assert mean.grad is not None
    assert mean.grad.abs().sum() > 0
    assert all(p.grad is None for p in alignment.head.parameters())
    assert batch["features"].shape == (6, 4, 112)
    assert batch["features"].mean(dim=(0, 1)).abs().max() < 1e-3
    before = mean.grad.clone()
    loss, logs = alignment.loss(batch, 0.0)
    loss.backward()
    assert torch.equal(mean.grad, before)
    assert all(p.grad is not None for p in alignment.head.parameters())
    assert float(logs["alignment"]) > 0


def test_a_token_is_predicted_from_its_own_places() -> None:
    """One patch of the latents decides one token, at the place where the features have it."""
    network = build_perceptual("efficientnet-lite0")
    assert network is not None
    alignment = LatentAlignment(network, (3, 4, 4), make_accelerator("fp32"))
    batch = {"images": torch.rand(2, 3, 32, 32), **piece_of(2, ALL)}
    mean = torch.zeros(2, 3, 4, 4)
    mean[:, :, 2:, :2] = torch.randn(2, 3, 2, 2)  # below, left
    alignment.error(mean, batch)
    used = batch["tokens"].abs().sum(dim=(0, 2)) > 0
    assert used.tolist() == [False, False, True, False]
    maps = network.features(batch["images"])[-1].flatten(2).transpose(1, 2)
    wanted = (maps - maps.mean((0, 1))) / maps.var((0, 1), correction=0).clamp_min(1e-6).sqrt()
    assert torch.allclose(batch["features"], wanted, atol=2e-2)


def lines_of(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_stage_1_learns_to_predict_features_and_weight_0_leaves_that_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("_score", "_pictures"):
        monkeypatch.setattr(f"latentbloom.fitting.finish.{part}", lambda *_: True)
    pictures = make_pictures(tmp_path / "pictures")
    for name, weight in (("on", 0.5), ("off", 0.0)):
        settings = {**ALIGNED, "vae_gan.alignment_weight": weight}
        fit(pictures, out=tmp_path / name, overrides=settings, console=Console(quiet=True))
    on, off = (
        [line for line in lines_of(tmp_path / name) if line.get("stage") == "vae_gan"]
        for name in ("on", "off")
    )
    assert any("alignment" in line for line in on)
    assert off
    assert not any("alignment" in line for line in off)
    parts = ["autoencoder", "alignment"]
    on_weights, _ = load_checkpoint(tmp_path / "on/vae_gan_last", parts)
    off_weights, _ = load_checkpoint(tmp_path / "off/vae_gan_last", ["autoencoder"])
    same = [
        torch.equal(tensor, off_weights["autoencoder"][name])
        for name, tensor in on_weights["autoencoder"].items()
    ]
    assert not all(same)
    assert on_weights["alignment"]["weight"].shape == (112, 16)
