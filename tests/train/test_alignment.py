"""Stage 2's alignment of tokens with feature maps: what is written, and what is trained by it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import DenoiserConfig, SourceOptions
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.device import make_accelerator
from latentbloom.errors import LatentbloomError
from latentbloom.fitting.pipeline import fit
from latentbloom.latents.feature_maps import FeatureMaps, write_feature_maps
from latentbloom.losses.perceptual import PerceptualLoss, build_perceptual
from latentbloom.nn.backbones.transformer import Transformer
from latentbloom.runs.checkpoint import load_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.train.loop import Trainer
from latentbloom.train.stages.alignment import Alignment
from tiny_run import TINY, make_pictures

GRID = (2, 2)
ALIGNED = {**TINY, "vae_gan.perceptual": "efficientnet-lite0", "train.starter": False}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def images(pictures: Path) -> ImageSet:
    source = open_source(SourceOptions(source=str(pictures)))
    train = [entry for entry in source.entries if entry.split == "train"]
    return ImageSet(source, train, size=32, channels=1, fit="crop")


@pytest.fixture(scope="module")
def network() -> PerceptualLoss:
    found = build_perceptual("efficientnet-lite0")
    assert found is not None
    return found


@pytest.fixture
def maps(tmp_path: Path, images: ImageSet, network: PerceptualLoss) -> FeatureMaps:
    write_feature_maps(network, images, tmp_path, GRID, CPU)
    return FeatureMaps(tmp_path, images.fingerprint, GRID)


def test_channels_have_mean_0_and_variance_1(maps: FeatureMaps, images: ImageSet) -> None:
    rows = maps.rows(range(len(images))).flatten(0, 1)
    assert rows.shape == (4 * len(images), 112)
    assert rows.mean(0).abs().max() < 0.02
    varied = rows.std(0) > 0.5
    assert varied.sum() > 50
    assert (rows.std(0)[varied] - 1).abs().max() < 0.05


def test_the_mirror_image_has_the_mirrored_map(maps: FeatureMaps) -> None:
    plain, mirrored = maps.rows([3]), maps.rows([3], [1])
    assert torch.equal(mirrored.unflatten(1, GRID).flip(2), plain.unflatten(1, GRID))


def test_maps_that_fit_are_kept_and_others_are_refused(
    tmp_path: Path, maps: FeatureMaps, images: ImageSet, network: PerceptualLoss
) -> None:
    written = (tmp_path / "feature-maps.npy").stat().st_mtime_ns
    write_feature_maps(network, images, tmp_path, GRID, CPU)
    assert (tmp_path / "feature-maps.npy").stat().st_mtime_ns == written
    with pytest.raises(LatentbloomError, match="of other pictures"):
        FeatureMaps(tmp_path, "another fingerprint", GRID)
    with pytest.raises(LatentbloomError, match="of other pictures"):
        FeatureMaps(tmp_path, images.fingerprint, (4, 4))
    with pytest.raises(LatentbloomError, match="holds no feature maps"):
        FeatureMaps(tmp_path / "nowhere", images.fingerprint, GRID)


def test_the_denoiser_is_trained_by_the_head_and_the_head_by_itself(maps: FeatureMaps) -> None:
    torch.manual_seed(0)
    spec = ConditionSpec((Factor("label", ("day", "night")),))
    config = DenoiserConfig(width=32, depth=2, head_width=16)
    backbone = Transformer(config, spec, (4, 4, 4))
    alignment = Alignment(maps, backbone, 1e-3, make_accelerator("fp32"))
    x, t = torch.randn(6, 4, 4, 4), torch.rand(6)
    batch = {"features": maps.rows(range(6))}
    backbone.train()
    backbone(x, t, spec.encode({}, 6))
    alignment.error(backbone, batch).backward()
    assert backbone.embed.weight.grad is not None
    assert backbone.embed.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in alignment.head.parameters())
    # The final layer lies behind the tokens.
    assert backbone.final.weight.grad is None
    before = backbone.embed.weight.grad.clone()
    loss, logs = alignment.loss(batch, 0.0)
    loss.backward()
    assert torch.equal(backbone.embed.weight.grad, before)
    assert all(p.grad is not None for p in alignment.head.parameters())
    assert 0.0 < float(logs["alignment"]) < 2.0
    backbone.eval()
    backbone.kept_tokens = None
    backbone(x, t, spec.encode({}, 6))
    assert backbone.kept_tokens is None


def lines_of(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def fit_until_stage_2(
    pictures: Path, run: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that Ctrl-C ends in the fourth step of stage 2."""
    steps = 0
    step = Trainer.step

    def interrupted(self: Trainer, progress: float) -> dict[str, torch.Tensor]:
        nonlocal steps
        steps += self.stage.name == "diffusion" and self.run == run  # not those that are timed
        if steps == 4:
            signal.raise_signal(signal.SIGINT)
        return step(self, progress)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "step", interrupted)
        fit(pictures, out=run, overrides=settings, console=Console(quiet=True))
    assert steps == 4


def test_a_stage_2_of_a_version_without_alignment_continues_without(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("_score", "_pictures"):
        monkeypatch.setattr(f"latentbloom.fitting.finish.{part}", lambda *_: True)
    run, off = tmp_path / "run", {**ALIGNED, "diffusion.alignment_weight": 0.0}
    fit_until_stage_2(pictures, run, off, monkeypatch)
    for path, place in ((run / "config.json", ()), (run / "plan.json", ("request",))):
        whole = tree = json.loads(path.read_text(encoding="utf-8"))
        for name in place:
            tree = tree[name]
        del tree["diffusion"]["alignment_weight"], tree["train"]["starter"]
        tree["vae_gan"]["kl_weight"] = 1e-3  # was written down, not left to the planner
        path.write_text(json.dumps(whole), encoding="utf-8")
    today = {name: value for name, value in ALIGNED.items() if name != "train.starter"}
    fit(pictures, out=run, overrides=today, console=Console(quiet=True))
    assert (run / "conditional_diffusion_final").is_dir()
    assert not any("alignment" in line for line in lines_of(run))
    found = RunFolder(run).load_config()
    assert found.diffusion.alignment_weight == 0.0
    assert not found.train.starter


def test_an_interrupted_stage_2_ends_with_the_same_weights(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("_score", "_pictures"):
        monkeypatch.setattr(f"latentbloom.fitting.finish.{part}", lambda *_: True)
    quiet = Console(quiet=True)
    fit(pictures, out=tmp_path / "whole", overrides=ALIGNED, console=quiet)
    assert any("alignment" in line for line in lines_of(tmp_path / "whole"))
    fit_until_stage_2(pictures, tmp_path / "stopped", ALIGNED, monkeypatch)
    fit(pictures, out=tmp_path / "stopped", overrides=ALIGNED, console=quiet)
    whole, stopped = (
        load_checkpoint(tmp_path / run / "conditional_diffusion_last", ["denoiser", "alignment"])[0]
        for run in ("whole", "stopped")
    )
    for part in ("denoiser", "alignment"):
        for name, tensor in whole[part].items():
            assert torch.equal(tensor, stopped[part][name]), name


def test_weight_0_aligns_nothing(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("_score", "_pictures"):
        monkeypatch.setattr(f"latentbloom.fitting.finish.{part}", lambda *_: True)
    off = {**ALIGNED, "diffusion.alignment_weight": 0.0}
    fit(pictures, out=tmp_path / "run", overrides=off, console=Console(quiet=True))
    assert not (tmp_path / "run/latents/train/feature-maps.npy").exists()
    assert not any("alignment" in line for line in lines_of(tmp_path / "run"))
