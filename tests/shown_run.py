"""A small run folder with everything in it, for tests of what shows it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from latentbloom.config import AutoencoderConfig, DenoiserConfig, RunConfig, SamplingSettings
from latentbloom.data.audit.run import audit_source
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.evaluate.measures.intervals import Interval
from latentbloom.evaluate.scores import (
    CombinationScore,
    ControlScore,
    CopyingScore,
    DistanceScore,
    DiversityScore,
    PictureScores,
    ReconstructionScore,
    Scores,
)
from latentbloom.model.build import build_denoiser
from latentbloom.model.generator import Model
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.runs.checkpoint import fingerprint, save_checkpoint

SIZE = 32


def coloured_pictures(folder: Path) -> Path:
    """Coloured rectangles that slide: two colours by two heights."""
    lines = ["file,split,colour,height"]
    for split, count in (("train", 9), ("val", 6)):
        for colour, channel in (("blue", 2), ("red", 0)):
            for height, rows in (("high", 20), ("low", 4)):
                for k in range(count):
                    picture = np.full((SIZE, SIZE, 3), 30 + 5 * k, np.uint8)
                    picture[4 : 4 + rows, 4 + k : 14 + k, channel] = 255
                    name = f"{split}_{colour}_{height}_{k}.png"
                    Image.fromarray(picture).save(folder / name)
                    lines.append(f"{name},{split},{colour},{height}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def open_splits(folder: Path) -> dict[str, ImageSet]:
    """Training and held-out pictures."""
    source = open_source(str(folder))
    return {
        split: ImageSet(
            source, [e for e in source.entries if e.split == split], size=SIZE, channels=3
        )
        for split in ("train", "val")
    }


def untrained_model(images: ImageSet) -> Model:
    """Small and untrained, but whole."""
    torch.manual_seed(0)
    config = RunConfig(
        autoencoder=AutoencoderConfig(size=SIZE, width=16, blocks=1),
        denoiser=DenoiserConfig(width=32, depth=1, head_width=16, stem=8),
        sampling=SamplingSettings(num_steps=4),
    )
    assert config.autoencoder is not None
    assert config.denoiser is not None
    autoencoder = build_autoencoder(config.autoencoder)
    spec = images.spec
    denoiser = build_denoiser(config.denoiser, config.diffusion, spec, autoencoder.latent_shape)
    for parameter in [*autoencoder.parameters(), *denoiser.parameters()]:
        # What begins at zero would make all pictures alike.
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    return Model(config, spec, autoencoder, denoiser, device=torch.device("cpu"))


def untrained_run(folder: Path, pictures: Path) -> Path:
    """A run with both models, untrained, and without its latents, figures and audit."""
    model = untrained_model(open_splits(pictures)["train"])
    config = model.config
    assert config.autoencoder is not None
    assert config.denoiser is not None
    folder.mkdir()
    known = {"data.source": str(pictures), "data.size": SIZE, "data.channels": 3}
    config.updated(known).save(folder / "config.json")
    weights, spec = model.autoencoder.state_dict(), model.spec.to_json()
    mark = fingerprint(weights)
    meta = {"config": config.autoencoder.model_dump(), "spec": spec, "fingerprint": mark}
    save_checkpoint(folder / "vae_gan_final", {"model": weights}, meta)
    meta = {
        "config": config.denoiser.model_dump(),
        "settings": config.diffusion.model_dump(),
        "spec": spec,
        "shape": list(model.autoencoder.latent_shape),
        "autoencoder": mark,
    }
    weights = model.denoiser.backbone.state_dict()
    save_checkpoint(folder / "conditional_diffusion_final", {"model": weights}, meta)
    return folder


def make_run(folder: Path, model: Model) -> Path:
    """Settings and metrics of a finished run."""
    (folder / "conditional_diffusion_final").mkdir(parents=True)
    model.config.updated({"data.source": "some/<flowers>"}).save(folder / "config.json")
    lines: list[dict[str, object]] = []
    for stage, losses in (
        ("vae_gan", ("reconstruction", "kl", "discriminator_accuracy")),
        ("diffusion", ("diffusion",)),
    ):
        lines.append({"kind": "phase", "stage": stage, "name": "begin", "images": 0})
        for k in range(1, 21):
            where = {"stage": stage, "images": 100 * k, "epoch": k / 2, "progress": k / 20}
            values = {name: 1.0 / k for name in losses}
            lines.append({"kind": "train", **where, "seconds": 3.0 * k, "lr": 1e-3, **values})
        lines.append({"kind": "val", **where, "psnr": 27.25, losses[0]: 0.1})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    return folder


def save_run(folder: Path, model: Model, pictures: Path) -> Path:
    """The same with the model's checkpoints, and pictures that are still there."""
    run = make_run(folder, model)
    (run / "conditional_diffusion_final").rmdir()
    own = {"data.source": str(pictures), "data.size": SIZE, "data.channels": 3}
    model.config.updated(own).save(run / "config.json")
    weights = model.autoencoder.state_dict()
    mark = fingerprint(weights)
    config = model.config
    assert config.autoencoder is not None
    assert config.denoiser is not None
    save_checkpoint(
        run / "vae_gan_final",
        {"model": weights},
        {"config": config.autoencoder.model_dump(), "fingerprint": mark},
    )
    save_checkpoint(
        run / "conditional_diffusion_final",
        {"model": model.denoiser.backbone.state_dict()},
        {
            "config": config.denoiser.model_dump(),
            "settings": config.diffusion.model_dump(),
            "spec": model.spec.to_json(),
            "autoencoder": mark,
        },
    )
    return run


def make_audit(pictures: Path, run: Path) -> None:
    """Write audit.json."""
    audit_source(open_source(str(pictures))).save(run / "audit.json")


def make_scores() -> Scores:
    """Scores that no run has had."""
    near, far = Interval(value=2.0, low=1.5, high=2.5), Interval(value=5.0, low=4.0, high=6.0)
    half = Interval(value=0.5, low=0.4, high=0.6)
    most = Interval(value=0.9, low=0.85, high=0.95)
    distance = DistanceScore(name="FD@24/some-network/112", value=far, floor=near)
    kernel = DistanceScore(
        name="KD@24/some-network/112", value=far, floor=Interval(value=-0.01, low=-0.02, high=0.02)
    )
    control = ControlScore(
        factor="colour",
        values=("blue", "red"),
        asked=(20, 20),
        met=(half, most),
        mean=Interval(value=0.7, low=0.6, high=0.8),
        real=(most, None),
        real_mean=most,
        confusion=((10, 10), (2, 18)),
        real_confusion=((18, 2), (2, 18)),
    )
    return Scores(
        short=False,
        seed=0,
        settings={"sampler": "dpm++", "num_steps": 20.0},
        reconstruction=ReconstructionScore(
            count=24, psnr=far, ssim=half, perceptual=half, frechet=distance
        ),
        pictures=PictureScores(
            features="some-network/112",
            samples=24,
            val=24,
            frechet=distance,
            kernel=kernel,
            manifold={"precision": half, "recall": half},
            manifold_floor={"precision": most, "recall": most},
            control=(control,),
            combinations=(
                CombinationScore(
                    which="unseen",
                    combinations=("blue, low",),
                    asked=8,
                    met=half,
                    real=None,
                    kernel=None,
                ),
            ),
            diversity=(DiversityScore(label="colour=red", ratio=0.4, alarm=True),),
            copying=CopyingScore(share=half, threshold=0.1, searched=36, worst=()),
            notes=("Few <pictures>.",),
        ),
        seconds={},
    )
