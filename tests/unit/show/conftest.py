"""A tiny model, a few pictures on disk, and a run folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentbloom.config import AutoencoderConfig, DenoiserConfig, RunConfig, SamplingSettings
from latentbloom.data.imageset import ImageSet
from latentbloom.data.source import open_source
from latentbloom.model import Model
from latentbloom.nn.autoencoder import build_autoencoder
from latentbloom.show.draw import draw_figures
from latentbloom.train.latent_diffusion import build_denoiser

SIZE = 32


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled folder: red squares that slide, and blue ones."""
    folder = tmp_path_factory.mktemp("pictures")
    for split, count in (("train", 20), ("val", 12)):
        for label, channel in (("red", 0), ("blue", 2)):
            (folder / split / label).mkdir(parents=True)
            for k in range(count):
                picture = np.full((SIZE, SIZE, 3), 30 + 5 * k, np.uint8)
                picture[4 : 8 + k, 6 : 12 + k, channel] = 255
                Image.fromarray(picture).save(folder / split / label / f"{k}.png")
    return folder


@pytest.fixture(scope="session")
def splits(pictures: Path) -> dict[str, ImageSet]:
    source = open_source(str(pictures))
    return {
        split: ImageSet(
            source, [e for e in source.entries if e.split == split], size=SIZE, channels=3
        )
        for split in ("train", "val")
    }


@pytest.fixture(scope="session")
def model(splits: dict[str, ImageSet]) -> Model:
    """Untrained, but whole."""
    torch.manual_seed(0)
    config = RunConfig(
        autoencoder=AutoencoderConfig(size=SIZE, width=16, blocks=1),
        denoiser=DenoiserConfig(width=32, depth=1, head_width=16),
        sampling=SamplingSettings(num_steps=4),
    )
    assert config.autoencoder is not None
    assert config.denoiser is not None
    autoencoder = build_autoencoder(config.autoencoder)
    spec = splits["train"].spec
    denoiser = build_denoiser(config.denoiser, config.diffusion, spec, autoencoder.latent_shape)
    return Model(config, spec, autoencoder, denoiser, device=torch.device("cpu"))


@pytest.fixture
def run(tmp_path: Path, model: Model) -> Path:
    """A finished run: settings and metrics, no figures yet."""
    return make_run(tmp_path / "my run", model)


@pytest.fixture(scope="session")
def _drawn_once(
    tmp_path_factory: pytest.TempPathFactory, model: Model, splits: dict[str, ImageSet]
) -> tuple[Path, dict[str, str]]:
    folder = make_run(tmp_path_factory.mktemp("drawn") / "my run", model)
    missing: dict[str, str] = {}
    draw_figures(
        model, splits["val"], folder, train=splits["train"], on_missing=missing.__setitem__
    )
    return folder, missing


@pytest.fixture
def drawn(_drawn_once: tuple[Path, dict[str, str]], tmp_path: Path) -> Path:
    """The same with all figures."""
    return Path(shutil.copytree(_drawn_once[0], tmp_path / "my run"))


@pytest.fixture
def not_drawn(_drawn_once: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """What could not be drawn there, and why."""
    return _drawn_once[1]


def make_run(folder: Path, model: Model) -> Path:
    """Settings and metrics of a finished run."""
    (folder / "conditional_diffusion_final").mkdir(parents=True)
    model.config.updated({"data.source": "some/<flowers>"}).save(folder / "config.json")
    lines = []
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
