"""`latentbloom push`: what is published, what is not, and what the card says."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch
import yaml

import latentbloom
from finished_run import make_finished_run
from latentbloom.cli.main import main
from latentbloom.errors import ConfigError, RunFolderError
from latentbloom.export.hub.push import push, write_published
from latentbloom.runs.checkpoint import load_checkpoint, save_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.runs.hub import local_run
from shown_run import make_scores


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return furnished(tmp_path / "mine", "synthetic-flowers")


def furnished(folder: Path, source: str) -> Path:
    """A run with scores, figures, lists of files and a report."""
    make_finished_run(folder, source=source)
    make_scores().save(folder / "scores.json")
    (folder / "figures").mkdir()
    for name in ("samples_by_condition", "reconstructions", "copies", "diffusion_loss"):
        (folder / "figures" / f"{name}.png").write_bytes(b"picture")
    (folder / "report.html").write_text("real pictures")
    (folder / "pictures.json").write_text('["/home/somebody/faces/1.jpg"]')
    return folder


def front_matter(folder: Path) -> dict[str, Any]:
    text = (folder / "README.md").read_text(encoding="utf-8")
    head, lines, _ = text.split("---\n", 2)
    assert head == ""
    return yaml.safe_load(lines)


def test_dry_run(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "published"
    assert main(["push", str(run), "me/blooms", "--dry-run", "--out", str(out)]) == 0
    assert "Nothing was uploaded." in capsys.readouterr().out
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert names == {
        "README.md", "config.json", "scores.json",
        "vae_gan_final/meta.json", "vae_gan_final/model.safetensors",
        "conditional_diffusion_final/meta.json", "conditional_diffusion_final/model.safetensors",
        "figures/samples_by_condition.png", "figures/reconstructions.png", "figures/copies.png",
        "figures/diffusion_loss.png",
    }  # fmt: skip
    here = latentbloom.load(run, device="cpu").sample(n=2, seed=4)
    there = latentbloom.load(out, device="cpu").sample(n=2, seed=4)
    assert torch.equal(here.pixels, there.pixels)


def test_the_decoder_of_stage_3_goes_along(run: Path, tmp_path: Path) -> None:
    place = RunFolder(run).autoencoder
    tensors, meta = load_checkpoint(place, ["model"])
    decoder = {
        name.removeprefix("decoder."): tensor * 1.5
        for name, tensor in tensors["model"].items()
        if name.startswith("decoder.")
    }
    mark = {"autoencoder": meta["fingerprint"]}
    save_checkpoint(RunFolder(run).decoder, {"model": decoder}, mark)
    write_published(run, "me/blooms", tmp_path / "out")
    here = latentbloom.load(run, device="cpu").sample(n=2, seed=4)
    there = latentbloom.load(tmp_path / "out", device="cpu").sample(n=2, seed=4)
    assert torch.equal(here.pixels, there.pixels)


def test_card(run: Path, tmp_path: Path) -> None:
    write_published(run, "me/blooms", tmp_path / "out", licence="mit")
    front = front_matter(tmp_path / "out")
    assert front["license"] == "mit"
    assert front["library_name"] == "latentbloom"
    metrics = front["model-index"][0]["results"][0]["metrics"]
    assert {"type": "accuracy", "name": "condition accuracy, colour", "value": 0.7} in metrics
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    card = huggingface_hub.ModelCard(text)  # as the Hub reads it
    assert card.data.to_dict()["license"] == "mit"
    assert len(card.data.to_dict()["model-index"][0]["results"]) == 1
    assert '\nmodel = latentbloom.load("hub:me/blooms")\n' in text
    assert "| condition accuracy, colour | 0.7 (0.6 to 0.8) | 0.9 (0.85 to 0.95) |" in text
    assert "## Limitations" in text
    assert "under the licence `mit`" in text
    for shown in ("samples_by_condition", "diffusion_loss"):
        assert f"](figures/{shown}.png)" in text
    assert "report.html" not in text


@pytest.mark.parametrize(
    ("source", "words"),
    [("celeba", "non-commercial research only"), ("flowers102", "belong to their photographers")],
)
def test_terms_of_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, words: str
) -> None:
    run = furnished(tmp_path / "run", source)
    out = tmp_path / "out"
    assert main(["push", str(run), "me/faces", "--dry-run", "--out", str(out)]) == 0
    assert words in capsys.readouterr().out.replace("\n", " ")
    text = (out / "README.md").read_text(encoding="utf-8")
    assert "**Terms of the training pictures.**" in text.split("##")[0]
    assert words in text
    figures = {path.name for path in (out / "figures").iterdir()}
    assert figures == {"samples_by_condition.png", "diffusion_loss.png"}
    assert "reconstructions.png" not in text
    with pytest.raises(ConfigError, match="--accept-data-terms"):
        push(run, "me/faces", tmp_path / "again", public=True, api=FakeHub())
    assert not (tmp_path / "again").exists()


def test_where_the_pictures_lie_stays_private(tmp_path: Path) -> None:
    run = furnished(tmp_path / "run", "/home/somebody/faces")
    scores = json.loads((run / "scores.json").read_text())
    pair = {"sample": 1, "train": "somebody/1.jpg", "distance": 2.0}
    scores["pictures"]["copying"]["worst"] = [pair]
    (run / "scores.json").write_text(json.dumps(scores))
    config = json.loads((run / "config.json").read_text())
    config["train"]["start_from"] = "/home/somebody/runs/old"
    (run / "config.json").write_text(json.dumps(config))
    write_published(run, "me/faces", tmp_path / "out")
    assert latentbloom.load(tmp_path / "out", device="cpu").sample(n=1).pixels.shape[0] == 1
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix in (".json", ".md"):
            assert "somebody" not in path.read_text(encoding="utf-8"), path
    assert "No real picture is part of this repository." in (tmp_path / "out/README.md").read_text()


def test_terms_follow_the_weights(tmp_path: Path) -> None:
    """A run that started from a run on CelebA has its terms, too."""
    furnished(tmp_path / "faces", "celeba")
    run = furnished(tmp_path / "mine", "pictures")
    config = json.loads((run / "config.json").read_text())
    config["train"]["start_from"] = str(tmp_path / "faces")
    (run / "config.json").write_text(json.dumps(config))
    write_published(run, "me/faces", tmp_path / "out")
    assert "non-commercial research only" in (tmp_path / "out" / "README.md").read_text()
    with pytest.raises(ConfigError, match="--accept-data-terms"):
        push(run, "me/faces", tmp_path / "again", public=True, api=FakeHub())


class FakeHub:
    """Stands for `huggingface_hub.HfApi`; remembers what it was asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def create_repo(self, name: str, **more: Any) -> None:
        self.asked.append((name, more))

    def upload_folder(self, **more: Any) -> SimpleNamespace:
        if self.error:
            raise self.error
        self.asked.append((more["repo_id"], more))
        return SimpleNamespace(commit_url="https://hub/me/blooms/commit/1")


def test_push(run: Path, tmp_path: Path) -> None:
    hub, said = FakeHub(), []
    address = push(run, "me/blooms", tmp_path / "out", api=hub, say=said.append)
    assert address == "https://hub/me/blooms/commit/1"
    assert hub.asked[0] == ("me/blooms", {"private": True, "exist_ok": True})
    assert hub.asked[1][1]["folder_path"] == str(tmp_path / "out")
    push(run, "me/blooms", tmp_path / "public", api=hub, public=True, say=said.append)
    assert hub.asked[2][1]["private"] is False


def test_the_hub_refuses(run: Path, tmp_path: Path) -> None:
    hub = FakeHub(OSError("403 Forbidden: no write access\nmore"))
    with pytest.raises(RunFolderError) as error:
        push(run, "me/blooms", tmp_path / "out", api=hub, say=lambda _: None)
    assert "refused me/blooms: 403 Forbidden: no write access Log in with" in str(error.value)


def test_a_run_of_the_hub(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = write_published(run, "me/blooms", tmp_path / "out")
    asked = []

    def download(name: str, *, revision: str | None, **_: Any) -> str:
        asked.append((name, revision))
        return str(out)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    expected = latentbloom.load(run, device="cpu").sample(n=1, seed=3).pixels
    for name, revision in (("hub:me/blooms", None), ("hub:me/blooms@v1.0", "v1.0")):
        model = latentbloom.load(name, device="cpu")
        assert torch.equal(model.sample(n=1, seed=3).pixels, expected)
        assert asked[-1] == ("me/blooms", revision)
    monkeypatch.chdir(tmp_path)
    assert main(["sample", "hub:me/blooms@main", "-n", "2"]) == 0
    assert asked[-1] == ("me/blooms", "main")
    assert "2 pictures in samples" in capsys.readouterr().out
    assert len(list((tmp_path / "samples").rglob("*_seed0_*.png"))) == 2


def test_bad_names(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'blooms' is no repository on the Hub"):
        write_published(run, "blooms", tmp_path / "out")
    with pytest.raises(ConfigError, match="'a/b/c' is no repository"):
        local_run("hub:a/b/c")


def test_the_hub_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RunFolderError, match="hub:nobody/nothing cannot be read from the Hugging"):
        local_run("hub:nobody/nothing")


def test_an_ordinary_folder_stays_one() -> None:
    assert local_run("runs/mine") == Path("runs/mine")
    assert json.dumps(str(local_run(Path("hub"))))
