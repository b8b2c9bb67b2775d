"""Stage 3: the decoder is trained on what the denoiser generates, and nothing else changes."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from rich.console import Console

import latentbloom
from latentbloom.fitting.pipeline import continue_training
from latentbloom.model.autoencoder import load_autoencoder, load_autoencoder_model
from latentbloom.runs.checkpoint import load_checkpoint, save_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.train.loop import Trainer
from tiny_run import TINY, make_pictures

QUIET = Console(quiet=True)
THREE = {
    **TINY,
    "vae_gan.perceptual": "efficientnet-lite0",
    "train.decoder_images": 64,
    "decoder.batch_size": 8,
    "decoder.generated": 48,
    "decoder.num_steps": 2,
    "decoder.statistics_pictures": 16,
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module", autouse=True)
def _no_scores() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        finish = "latentbloom.fitting.finish.finish"
        patch.setattr(finish, lambda folder, *_: latentbloom.load(folder.path))
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    run = tmp_path_factory.mktemp("runs") / "finished"
    latentbloom.fit(pictures, out=run, overrides=THREE, console=QUIET)
    return run


def decoder_of(run: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(run / "decoder_final")[0]["model"]


def test_only_the_decoder_changes(finished: Path) -> None:
    first, mark = load_autoencoder(finished / "vae_gan_final")
    model = latentbloom.load(finished)
    changed = {
        name
        for name, tensor in model.autoencoder.state_dict().items()
        if not torch.equal(tensor, first.state_dict()[name])
    }
    assert changed
    assert all(name.startswith("decoder.") for name in changed)
    # The denoiser and the latents still belong to the autoencoder of stage 1.
    assert load_checkpoint(finished / "conditional_diffusion_final", [])[1]["autoencoder"] == mark
    assert load_checkpoint(finished / "decoder_final", [])[1] == {"autoencoder": mark}
    alone = load_autoencoder_model(finished).autoencoder.state_dict()
    assert all(torch.equal(alone[k], v) for k, v in model.autoencoder.state_dict().items())


def test_the_generated_latents_are_kept(finished: Path) -> None:
    z = load_checkpoint(RunFolder(finished).latents("generated"))[0]["latents"]["z"]
    assert z.shape == (48, 4, 4, 4)
    assert z.isfinite().all()
    stages = {json.loads(x)["stage"] for x in (finished / "metrics.jsonl").read_text().splitlines()}
    assert stages == {"vae_gan", "diffusion", "decoder"}


def test_stopped_by_ctrl_c_it_goes_on_to_the_same_decoder(
    tmp_path: Path, pictures: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "stopped"
    steps = 0
    step = Trainer.step

    def interrupted(self: Trainer, progress: float) -> dict[str, torch.Tensor]:
        nonlocal steps
        steps += self.stage.name == "decoder"
        if steps == 5:  # the running statistics pull by then
            signal.raise_signal(signal.SIGINT)
        return step(self, progress)

    monkeypatch.setattr(Trainer, "step", interrupted)
    console = Console(record=True, width=200, file=io.StringIO())
    latentbloom.fit(pictures, out=run, overrides=THREE, console=console)
    assert steps == 5
    assert "The same command resumes from here." in console.export_text()
    assert not (run / "decoder_final").exists()
    monkeypatch.undo()
    assert latentbloom.fit(pictures, out=run, overrides=THREE, console=QUIET) is not None
    whole, resumed = decoder_of(finished), decoder_of(run)
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []


def test_a_decoder_of_another_autoencoder_is_left_alone(finished: Path, tmp_path: Path) -> None:
    model = load_autoencoder_model(finished)
    other = tmp_path / "other"
    for name in ("config.json",):
        other.mkdir()
        (other / name).write_bytes((finished / name).read_bytes())
    tensors, meta = load_checkpoint(finished / "vae_gan_final")
    save_checkpoint(other / "vae_gan_final", tensors, meta | {"fingerprint": "of another one"})
    save_checkpoint(other / "decoder_final", *load_checkpoint(finished / "decoder_final"))
    found = load_autoencoder_model(other).autoencoder.state_dict()
    assert all(torch.equal(found[name], value) for name, value in tensors["model"].items())
    assert not all(
        torch.equal(found[name], value) for name, value in model.autoencoder.state_dict().items()
    )


def test_training_stage_2_further_drops_the_decoder_that_belonged_to_it(
    tmp_path: Path, pictures: Path
) -> None:
    run = tmp_path / "run"
    latentbloom.fit(pictures, out=run, overrides=THREE, console=QUIET)
    before = decoder_of(run)
    continue_training(run, epochs=5, console=QUIET)
    after = decoder_of(run)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_without_a_budget_there_is_no_third_stage(tmp_path: Path, pictures: Path) -> None:
    latentbloom.fit(pictures, out=tmp_path / "run", overrides=TINY, console=QUIET)
    assert not (tmp_path / "run" / "decoder_final").exists()
