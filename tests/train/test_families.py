"""`fit` with the classic and the pixel family, and what the planner leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

import latentbloom
from latentbloom.config import DenoiserConfig, RunConfig
from latentbloom.config.stage_settings import KL_WEIGHT
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.figures.draw import draw_figures
from latentbloom.fitting.planning.planner import make_plan, models_to_time
from latentbloom.fitting.planning.speeds import Speeds
from latentbloom.latents.pixel_latents import PixelLatents
from latentbloom.model.generator import Model
from latentbloom.nn.backbones.kinds import build_backbone
from latentbloom.presets import build_preset
from latentbloom.report.page import write_report
from latentbloom.runs.checkpoint import load_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.train.order import mix
from tiny_run import TINY, make_pictures

QUIET = Console(quiet=True)
SMALL = {**TINY, "autoencoder.base_width": 8, "diffusion.schedule": "linear", "denoiser.depth": 1}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(autouse=True)
def _no_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores and drawings take longer than training, and know no families."""

    def finish(folder: RunFolder, *_: object) -> Model:
        return latentbloom.load(folder.path)

    monkeypatch.setattr("latentbloom.fitting.finish.finish", finish)


def lines(run: Path, kind: str) -> list[dict[str, object]]:
    text = (run / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, text) if line["kind"] == kind]


@pytest.mark.parametrize("loss", ["hinge", "bce"])
def test_classic_goes_from_pictures_to_pictures(tmp_path: Path, pictures: Path, loss: str) -> None:
    overrides = {**SMALL, "vae_gan.adversarial_loss": loss}
    model = latentbloom.fit(
        pictures, out=tmp_path / "run", preset="classic", overrides=overrides, console=QUIET
    )
    assert model is not None
    assert model.autoencoder.latent_shape == (256, 1, 1)
    phases = [line["name"] for line in lines(tmp_path / "run", "phase")]
    assert phases[:5] == [
        "reconstruction",
        "KL rising",
        "classes and centres",
        "discriminator",
        "adversarial",
    ]
    seen = {name for line in lines(tmp_path / "run", "train") for name in line}
    assert {"classification", "centre", "repulsion", "spread", "adversarial"} <= seen
    checked = [line for line in lines(tmp_path / "run", "val") if line["stage"] == "vae_gan"]
    assert all(0.0 <= float(str(line["nearest_centre_accuracy"])) <= 1.0 for line in checked)
    again = latentbloom.load(tmp_path / "run")
    x = torch.rand(2, 1, 32, 32) * 2 - 1
    assert torch.equal(again.reconstruct(x), model.reconstruct(x))
    records = again.sample({"label": "day"}, n=2, sampler="ddpm", num_steps=5)
    assert records.images.shape == (2, 1, 32, 32)
    assert torch.isfinite(records.images).all()


def test_class_terms_wait_for_their_phase(tmp_path: Path, pictures: Path) -> None:
    """Before it, weights of the classifier do not move; after it, they do."""
    both = {}
    for start in (0.0, 1.0):
        overrides = {
            **SMALL,
            "vae_gan.adversarial_weight": 0.0,
            "vae_gan.class_start": start,
            "vae_gan.class_full": start,
            "train.diffusion_images": 8,
        }
        run = tmp_path / f"{start}"
        latentbloom.fit(pictures, out=run, preset="classic", overrides=overrides, console=QUIET)
        both[start] = load_checkpoint(run / "vae_gan_last", ["autoencoder"])[0]["autoencoder"]
    centres = {start: tensors["classes.centres.0"] for start, tensors in both.items()}
    assert float((centres[0.0] - centres[1.0]).abs().max()) > 5e-4


def test_pixel_has_no_first_stage(tmp_path: Path, pictures: Path) -> None:
    run = tmp_path / "run"
    overrides = {**SMALL, "train.vae_gan_images": None}
    model = latentbloom.fit(pictures, out=run, preset="pixel", overrides=overrides, console=QUIET)
    assert model is not None
    assert {line["stage"] for line in lines(run, "train")} == {"diffusion"}
    assert not (run / "latents").exists()
    again = latentbloom.load(run)
    x = torch.rand(2, 1, 32, 32) * 2 - 1
    assert torch.equal(again.reconstruct(x), x)
    assert not again.reconstructs
    records = again.sample({"label": "night"}, n=2, seed=1)
    assert (records[1].image == model.sample({"label": "night"}, n=2, seed=1)[1].image).all()


def test_pixels_can_be_learned_without_conditions(tmp_path: Path, pictures: Path) -> None:
    """Labels that are always hidden leave a model that knows "any" alone."""
    run = tmp_path / "run"
    overrides = {**SMALL, "diffusion.drop_all": 1.0}
    model = latentbloom.fit(pictures, out=run, preset="pixel", overrides=overrides, console=QUIET)
    assert model is not None
    free = model.sample(n=2, seed=1, guidance=0.0)
    assert (free.images == model.sample({"label": "any"}, n=2, seed=1, guidance=1.0).images).all()
    tables = [p for n, p in model.denoiser.backbone.named_parameters() if "tables" in n]
    config = DenoiserConfig.model_validate(model.config.denoiser)
    torch.manual_seed(mix("weights", "diffusion", 0))
    fresh = build_backbone(config, model.spec, model.autoencoder.latent_shape)
    start = [p for n, p in fresh.named_parameters() if "tables" in n]
    moved = (tables[0] - start[0].detach()).abs().amax(dim=1) > 0
    assert moved.tolist() == [False, False, True], "only the row of any has learned"


def test_what_has_no_latents_is_not_drawn(tmp_path: Path, pictures: Path) -> None:
    run = tmp_path / "run"
    model = latentbloom.fit(pictures, out=run, preset="pixel", overrides=SMALL, console=QUIET)
    source = open_source(str(pictures))
    val = ImageSet(source, source.entries, size=32, channels=1)
    missing: dict[str, str] = {}
    files = draw_figures(
        model,
        val,
        run,
        what=["samples", "reconstructions", "prior"],
        on_missing=missing.__setitem__,
    )
    assert [file.name for file in files] == ["samples_by_condition.png"]
    assert set(missing) == {"reconstructions", "prior"}
    assert "works on pixels directly" in missing["prior"]
    text = write_report(run).read_text(encoding="utf-8")
    assert "It works on pixels directly, without an autoencoder." in text


def test_pictures_stand_in_for_latents(pictures: Path) -> None:
    source = open_source(str(pictures))
    images = ImageSet(source, source.entries, size=32, channels=1)
    latents = PixelLatents(images, mirrored=True, fingerprint="none")
    plain, std = latents.posterior([3, 5])
    flipped, _ = latents.posterior([3, 5], [0, 1])
    assert plain.shape == (2, *latents.shape)
    assert float(plain.min()) >= -1.0
    assert float(plain.max()) <= 1.0
    assert not std.any()
    assert torch.equal(flipped[0], plain[0])
    assert torch.equal(flipped[1], plain[1].flip(2))
    cond = latents.cond(source.spec, [3, 5])
    assert cond["label"].tolist() == [images.labels[3, 0], images.labels[5, 0]]


@pytest.mark.parametrize("name", ["classic", "pixel"])
def test_planner_keeps_what_a_preset_fixes(name: str) -> None:
    request = build_preset(name).updated({"train.minutes": 30.0})
    config, plan = make_plan(request, Speeds(5.0, 50.0, 500.0), count=500, size=32, channels=1)
    assert config.autoencoder is not None
    assert request.autoencoder is not None
    kept = request.autoencoder.model_copy(update={"size": 32, "channels": 1})
    assert config.autoencoder == kept
    assert request.denoiser is not None
    denoiser = request.denoiser.model_copy(update={"stem": 0})  # they are no transformers
    assert config.denoiser == denoiser
    # A KL weight that a preset leaves open is chosen with the autoencoder.
    assert request.vae_gan.kl_weight is None
    vae_gan = request.vae_gan.model_copy(update={"kl_weight": KL_WEIGHT})
    assert (config.vae_gan, config.diffusion) == (vae_gan, request.diffusion)
    assert models_to_time(request, size=32, channels=1) == (kept, denoiser)
    assert plan.diffusion_seconds is not None
    if name == "pixel":
        assert (plan.vae_gan_seconds, plan.vae_gan_images) == (0.0, 0)
        assert plan.diffusion_seconds + plan.finish_seconds == pytest.approx(30 * 60)
    else:  # its autoencoder is the slow part
        assert plan.vae_gan_seconds == pytest.approx(4 * plan.diffusion_seconds)


@pytest.mark.parametrize(("family", "kind"), [("classic", "dense"), ("pixel", "pixel-unet")])
def test_a_family_alone_gets_a_denoiser_that_fits(family: str, kind: str) -> None:
    request = RunConfig().updated({"autoencoder.family": family, "train.minutes": 30.0})
    config, _ = make_plan(request, Speeds(5.0, 50.0, 500.0), count=500, size=64, channels=3)
    assert config.denoiser is not None
    assert config.denoiser.kind == kind
