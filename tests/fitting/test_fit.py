"""`fit` from a folder of pictures to a model, and what survives when it is stopped."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console

import latentbloom
from latentbloom.diffusion import SAMPLERS
from latentbloom.errors import CheckpointError, ConditionError, ConfigError, RunFolderError
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint
from latentbloom.train.loop import Trainer
from tiny_run import TINY, make_pictures

QUIET = Console(quiet=True)
FINAL = ("vae_gan_final", "conditional_diffusion_final")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    """A run that nothing disturbed."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    latentbloom.fit(pictures, out=run, overrides=TINY, console=QUIET)
    return run


def weights(run: Path) -> dict[str, torch.Tensor]:
    return {
        f"{name}/{key}": value
        for name in FINAL
        for key, value in load_checkpoint(run / name)[0]["model"].items()
    }


def images_seen(checkpoint: Path) -> int:
    """How far the stage was when it last saved; 0 before that."""
    if not checkpoint_exists(checkpoint):
        return 0
    return load_checkpoint(checkpoint, [])[1]["position"]["images"]


def assert_same_weights(a: Path, b: Path) -> None:
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert not different


def test_run_folder_has_its_pieces(finished: Path) -> None:
    for name in ("config.json", "audit.json", "metrics.jsonl", "report.html", "README.md"):
        assert (finished / name).is_file(), name
    for name in (*FINAL, "vae_gan_best", "vae_gan_last", "latents", "figures"):
        assert (finished / name).is_dir(), name
    assert not [p for p in finished.rglob("*") if p.suffix in {".pt", ".pth", ".pkl", ".ckpt"}]
    kinds = {
        json.loads(line)["stage"] for line in (finished / "metrics.jsonl").read_text().splitlines()
    }
    assert kinds == {"vae_gan", "diffusion"}


def test_killed_at_any_moment_it_ends_with_the_same_weights(tmp_path: Path, pictures: Path) -> None:
    run = tmp_path / "killed"
    program = (
        "import sys, json, latentbloom\n"
        "import latentbloom.fitting.finish as end\n"
        "from rich.console import Console\n"
        "end.finish = lambda *_: None  # the weights are what counts\n"
        "latentbloom.fit(sys.argv[1], out=sys.argv[2], overrides=json.loads(sys.argv[3]),"
        " console=Console(quiet=True))\n"
    )
    # Saves at every step make the moments of the kill as different as can be. The pace of saving is
    # no part of the mathematics, so the weights are those of the undisturbed run.
    overrides = {
        **TINY,
        "train.checkpoint_seconds": 1e-3,
        "train.vae_gan_images": 256,
        "train.diffusion_images": 256,
    }
    # The number of threads is: sums are split among them, so both runs have one.
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}

    def command(out: Path) -> list[str]:
        return [sys.executable, "-c", program, str(pictures), str(out), json.dumps(overrides)]

    whole = tmp_path / "whole"
    subprocess.run(command(whole), env=alone, check=True)
    kills = 0
    moments = []
    for part in ("vae_gan_last", "conditional_diffusion_last"):
        process = subprocess.Popen(command(run), env=alone)
        deadline = time.monotonic() + 60
        while images_seen(run / part) < 16 and time.monotonic() < deadline:
            time.sleep(0.002)
            if process.poll() is not None:
                break
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        moments.append(images_seen(run / part))
    assert kills == 2
    assert all(images >= 16 for images in moments)  # there was a state to go on from
    subprocess.run(command(run), env=alone, check=True)
    assert_same_weights(whole, run)


def test_stopped_by_ctrl_c_it_goes_on_to_the_same_weights(
    tmp_path: Path, pictures: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "stopped"
    steps = 0
    step = Trainer.step

    def interrupted(self: Trainer, progress: float) -> dict[str, torch.Tensor]:
        nonlocal steps
        steps += self.run == run  # not those that are timed for the plan
        if steps == 3:
            signal.raise_signal(signal.SIGINT)
        return step(self, progress)

    monkeypatch.setattr(Trainer, "step", interrupted)
    console = Console(record=True, width=200, file=io.StringIO())
    assert latentbloom.fit(pictures, out=run, overrides=TINY, console=console) is None
    said = console.export_text()
    assert "Stopped and saved" in said
    assert "The same command resumes from here." in said
    monkeypatch.undo()
    assert latentbloom.fit(pictures, out=run, overrides=TINY, console=QUIET) is not None
    assert_same_weights(finished, run)


def test_previews_on_a_full_disk_change_nothing(
    tmp_path: Path, pictures: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("latentbloom.pictures.preview.save_preview", full)
    console = Console(record=True, width=200, file=io.StringIO())
    often = {**TINY, "train.preview_seconds": 1e-3}
    latentbloom.fit(pictures, out=tmp_path / "run", overrides=often, console=console)
    said = console.export_text()
    assert said.count("No preview of reconstructions: OSError: [Errno 28]") == 1
    assert said.count("No preview of samples: OSError: [Errno 28]") == 1
    assert_same_weights(finished, tmp_path / "run")


def test_a_second_call_does_nothing_more(finished: Path, pictures: Path) -> None:
    before = weights(finished)
    latentbloom.fit(pictures, out=finished, overrides=TINY, console=QUIET)
    assert all(torch.equal(before[name], value) for name, value in weights(finished).items())


def test_picture_k_is_the_same_in_any_company(finished: Path) -> None:
    model = latentbloom.load(finished)
    many = model.sample({"label": "day"}, n=20, seed=3)
    few = model.sample({"label": "day"}, n=5, seed=3, batch_size=2)
    for k in range(5):
        assert (many[k].image == few[k].image).all()
    mixed = model.sample([{"label": "night"}] * 3 + [{"label": "day"}] * 2, n=5, seed=3)
    assert (mixed[4].image == many[4].image).all()


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_every_sampler_makes_pictures(finished: Path, sampler: str) -> None:
    model = latentbloom.load(finished)
    records = model.sample({"label": "day"}, n=2, sampler=sampler, num_steps=4, path=True)
    assert len(records[0].path) == 5
    assert records.images.shape == (2, 1, 32, 32)
    assert torch.isfinite(records.images).all()


def test_unknown_words_are_named_with_the_known_ones(finished: Path) -> None:
    model = latentbloom.load(finished)
    with pytest.raises(ConditionError, match=r"'dya' is no value of 'label'. Known values: day, n"):
        model.sample({"label": "dya"}, n=1)
    with pytest.raises(ConditionError, match="'colour' is no condition of this model"):
        model.sample({"colour": "red"}, n=1)
    with pytest.raises(ConfigError, match="n is 0"):
        model.sample(n=0)


def test_other_settings_need_another_folder(finished: Path, pictures: Path) -> None:
    with pytest.raises(RunFolderError, match=r"is a run with other settings: diffusion\.lr was"):
        latentbloom.fit(
            pictures, out=finished, overrides={**TINY, "diffusion.lr": 0.5}, console=QUIET
        )


def test_foreign_folders_are_refused(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(RunFolderError, match="There is no folder"):
        latentbloom.load(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(RunFolderError, match=r"its config\.json is that of other software"):
        latentbloom.load(tmp_path)
    with pytest.raises(RunFolderError, match="holds other files and no run of latentbloom"):
        latentbloom.fit(pictures, out=tmp_path, overrides=TINY, console=QUIET)


def test_checkpoints_that_do_not_belong_together_are_refused(
    tmp_path: Path, finished: Path, pictures: Path
) -> None:
    import shutil

    other = tmp_path / "other"
    latentbloom.fit(pictures, out=other, overrides={**TINY, "train.seed": 1}, console=QUIET)
    mixed = tmp_path / "mixed"
    shutil.copytree(finished, mixed)
    shutil.rmtree(mixed / "vae_gan_final")
    shutil.copytree(other / "vae_gan_final", mixed / "vae_gan_final")
    with pytest.raises(CheckpointError, match="was trained on the latents of another autoencoder"):
        latentbloom.load(mixed)


def test_truncated_weights_are_named(tmp_path: Path, finished: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(finished, broken)
    file = broken / "conditional_diffusion_final" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model.safetensors.*cut short"):
        latentbloom.load(broken)


def test_dry_run_leaves_nothing(tmp_path: Path, pictures: Path) -> None:
    run = tmp_path / "dry"
    assert latentbloom.fit(pictures, out=run, overrides=TINY, dry_run=True, console=QUIET) is None
    assert not run.exists()
