"""Training calls at toy size: both stages, names of files, resuming for more epochs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from rich.console import Console

from latentbloom import compat
from latentbloom.errors import CheckpointError, ConfigError, RunFolderError
from latentbloom.fitting.pipeline import continue_training
from latentbloom.model.autoencoder import load_autoencoder_model
from latentbloom.runs.checkpoint import load_checkpoint
from tests.compat.conftest import STEADY, fit

QUIET = Console(quiet=True)
COUNT = 24  # pictures of an epoch, three batches


def state(folder: Path) -> dict[str, torch.Tensor]:
    """Weights, averages and the optimiser."""
    groups, _ = load_checkpoint(folder)
    return {f"{key}/{name}": t for key, group in groups.items() for name, t in group.items()}


def assert_equal(a: Path, b: Path) -> None:
    first, second = state(a), state(b)
    assert first.keys() == second.keys()
    assert not [name for name in first if not torch.equal(first[name], second[name])]


def copied(run: Path, to: Path) -> Path:
    import shutil

    return Path(shutil.copytree(run, to))


def test_two_epochs_and_two_more_are_four(tmp_path: Path, pictures: Path, two_epochs: Path) -> None:
    whole, parts = tmp_path / "whole", copied(two_epochs, tmp_path / "parts")
    fit(pictures, whole, 4)
    (parts / "scores.json").write_text("{}")
    assert continue_training(parts, epochs=4, console=QUIET) is not None
    for name in ("last", "epoch_3", "epoch_4", "final"):
        assert_equal(
            whole / f"conditional_diffusion_{name}", parts / f"conditional_diffusion_{name}"
        )
    _, meta = load_checkpoint(parts / "conditional_diffusion_last", [])
    assert meta["position"]["images"] == 4 * COUNT
    assert (parts / "scores_epoch_2.json").is_file(), "scores of the shorter run are kept as such"
    lines = [json.loads(line) for line in (parts / "metrics.jsonl").read_text().splitlines()]
    assert max(one["epoch"] for one in lines if one["stage"] == "diffusion") == 4.0


def test_a_run_resumes_from_an_older_checkpoint(tmp_path: Path, two_epochs: Path) -> None:
    run = copied(two_epochs, tmp_path / "run")
    ends = state(run / "conditional_diffusion_epoch_2")
    compat.main(run / "conditional_diffusion_epoch_1", total_epochs=3)
    assert (run / "conditional_diffusion_epoch_3").is_dir()
    written = (run / "conditional_diffusion_last" / "meta.json").stat().st_mtime_ns
    compat.main(run / "conditional_diffusion_epoch_1", total_epochs=3)  # begins nothing anew
    assert (run / "conditional_diffusion_last" / "meta.json").stat().st_mtime_ns == written
    again = state(run / "conditional_diffusion_epoch_2")
    # From epoch 1 the second epoch is trained again, and comes out the same.
    assert not [name for name in ends if not torch.equal(ends[name], again[name])]


def test_what_cannot_be_resumed_is_said(tmp_path: Path, two_epochs: Path) -> None:
    run = copied(two_epochs, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"has seen 2 epochs already \(48 images of 24\)"):
        continue_training(run, epochs=2, console=QUIET)
    missing = run / "conditional_diffusion_epoch_9"
    with pytest.raises(CheckpointError, match=r"There is no checkpoint .*there are: .*_epoch_1, c"):
        continue_training(run, epochs=4, checkpoint=missing, console=QUIET)
    with pytest.raises(CheckpointError, match="does not lie in the run folder"):
        continue_training(
            run,
            epochs=4,
            checkpoint=two_epochs / "conditional_diffusion_epoch_1",
            console=QUIET,
        )
    assert (run / "conditional_diffusion_final").is_dir(), "nothing was touched"


def test_with_a_falling_rate_it_resumes_at_the_longer_run_s_rate(
    tmp_path: Path, pictures: Path
) -> None:
    run = tmp_path / "run"
    falling = {"train.decay_start": 0.0, "train.log_seconds": 1e-9}
    fit(pictures, run, 2, **falling)
    continue_training(run, epochs=4, console=QUIET)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rates = {
        one["images"]: one["lr"]
        for one in lines
        if one["stage"] == "diffusion" and one["kind"] == "train"
    }
    # Before the step that ends at 48 images 40 of 48 were seen; at the next, 48 of 96.
    peak = 5e-4
    assert rates[48] == pytest.approx(peak * (0.01 + 0.99 * 8 / 48))
    assert rates[56] == pytest.approx(peak * (0.01 + 0.99 * 48 / 96))


def test_figures_and_checkpoints_have_the_published_names(tmp_path: Path, pictures: Path) -> None:
    run = tmp_path / "run"
    steps: dict[str, Any] = {**STEADY, "train.vae_gan_images": None, "train.minutes": None}
    autoencoder, diffusion = compat.main(
        total_epochs=2,
        dataset=str(pictures),
        save_dir=run,
        visualize_every=2,
        checkpoint_every=1,
        overrides={k: v for k, v in steps.items() if "epochs" not in k},
    )
    figures = {file.name for file in (run / "figures").iterdir()}
    assert {
        "vae_reconstruction_epoch_2.png",
        "vae_latent_space_epoch_2.png",
        "vae_samples_grid_subset.png",
        "sample_class_day.png",
        "sample_class_night.png",
        "denoising_path_day.png",
        "diffusion_animation_night.gif",
        "autoencoder_losses.png",
        "diffusion_loss.png",
    } <= figures
    for name in (
        "vae_gan_best",
        "vae_gan_final",
        "conditional_diffusion_epoch_1",
        "conditional_diffusion_epoch_2",
        "conditional_diffusion_final",
    ):
        assert list((run / name).glob("*.safetensors")), name

    from PIL import Image

    there = tmp_path / "there"
    records = compat.generate_class_samples(
        autoencoder, diffusion, "Night", 3, save_path=there / "night.png"
    )
    assert [r.cond for r in records] == [{"label": "night"}] * 3
    assert compat.generate_samples_grid(autoencoder, diffusion, 2, there).is_file()
    compat.visualize_denoising_steps(autoencoder, diffusion, 1, there / "path.png")
    compat.visualize_reconstructions(autoencoder, run, there / "rebuilt.png")
    compat.visualize_latent_space(autoencoder, run, there / "latents.png")
    film = compat.create_diffusion_animation(
        autoencoder, diffusion, "day", num_frames=6, fps=10, save_path=there / "film.gif"
    )
    with Image.open(film) as moving:
        assert getattr(moving, "n_frames", 0) == 6
    made = {"night.png", "vae_samples_grid_subset.png", "path.png", "rebuilt.png", "latents.png"}
    assert made | {"film.gif"} == {file.name for file in there.iterdir()}


def test_the_stages_one_by_one(tmp_path: Path, pictures: Path) -> None:
    run = tmp_path / "run"
    steps = {k: v for k, v in STEADY.items() if "epochs" not in k}
    autoencoder = compat.train_autoencoder(
        str(pictures), 1, save_dir=run, visualize_every=None, overrides=steps
    )
    assert not (run / "conditional_diffusion_last").exists()
    diffusion = compat.train_conditional_diffusion(autoencoder, 2, save_dir=run)
    assert diffusion.sample({"label": "day"}, n=1).images.isfinite().all()
    _, meta = load_checkpoint(run / "conditional_diffusion_last", [])
    assert meta["position"]["images"] == 2 * COUNT
    for weight in autoencoder.parameters():
        weight.data += 1.0
        break
    with pytest.raises(CheckpointError, match="another one than that of the diffusion model"):
        compat.generate_class_samples(autoencoder, diffusion, "day")


def test_a_resumed_run_keeps_its_settings() -> None:
    with pytest.raises(ConfigError, match=r"of its own run, and data\.root cannot be changed"):
        compat.main("run/conditional_diffusion_epoch_1", 3, overrides={"data.root": "elsewhere"})


def test_a_picture_that_cannot_be_drawn_is_an_error_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_epochs: Path
) -> None:
    autoencoder = load_autoencoder_model(two_epochs).autoencoder
    monkeypatch.setattr("latentbloom.evaluate.run_sets.sets_of_run", lambda *_: (None, None))
    with pytest.raises(RunFolderError, match="'reconstructions': no training pictures"):
        compat.visualize_reconstructions(autoencoder, two_epochs, tmp_path / "r.png")
    assert list(tmp_path.iterdir()) == []


def load_main() -> ModuleType:
    place = Path(__file__).parents[2] / "main.py"
    spec = importlib.util.spec_from_file_location("compat_main", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_main_py_passes_its_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {}

    def train(**options: Any) -> None:
        asked.update(options)
        if options["total_epochs"] < 1:
            raise ConfigError("too few")

    monkeypatch.setattr(compat, "main", train)
    program = load_main()
    assert program.main(["--total_epochs", "1200"]) == 0
    assert asked == {
        "total_epochs": 1200.0,
        "checkpoint_path": None,
        "dataset": "celeba-smiling-classic",
        "save_dir": "./results",
        "visualize_every": 50,
        "checkpoint_every": 200,
        "overrides": None,
    }
    assert program.main(["--checkpoint_path", "r/conditional_diffusion_epoch_600"]) == 0
    assert asked["checkpoint_path"] == "r/conditional_diffusion_epoch_600"
    assert program.main(["--root", "d"]) == 0
    assert asked["overrides"] == {"data.root": "d"}
    assert program.main(["--total_epochs", "0"]) == 2
    assert capsys.readouterr().err == "too few\n"
