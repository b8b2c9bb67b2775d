"""What each command makes of its words: the layer under it is replaced by one that takes notes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from latentbloom.conditions import ConditionSpec, Factor
from tests.cli.conftest import CommandLine


class TestFit:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        noted: dict[str, Any] = {}

        def fit(source: str | None, **options: Any) -> None:
            noted.update(options, source=source)
            noted.pop("console").print("trained")

        module = ModuleType("latentbloom.fitting.pipeline")
        module.fit = fit  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "latentbloom.fitting.pipeline", module)
        return noted

    def test_the_shortest(self, call: CommandLine, asked: dict[str, Any]) -> None:
        assert call("fit", "pictures") == (0, "trained\n", "")
        assert asked == {
            "source": "pictures",
            "out": None,
            "minutes": None,
            "preset": None,
            "config": None,
            "overrides": {},
            "dry_run": False,
            "accept_changed_data": False,
            "several_processes": False,
        }

    def test_the_longest(self, call: CommandLine, asked: dict[str, Any]) -> None:
        words = (
            "fit --out runs/a --minutes 2.5 --preset swift --config c.json --dry-run "
            "--accept-changed-data "
            "--seed 3 --diffusion.lr 1e-4 --data.mirror false pictures"
        )
        assert call(*words.split()).code == 0
        assert asked == {
            "source": "pictures",
            "out": Path("runs/a"),
            "minutes": 2.5,
            "preset": "swift",
            "config": Path("c.json"),
            "overrides": {"train.seed": 3, "diffusion.lr": 1e-4, "data.mirror": False},
            "dry_run": True,
            "accept_changed_data": True,
            "several_processes": False,
        }

    def test_a_preset_may_bring_its_pictures(
        self, call: CommandLine, asked: dict[str, Any]
    ) -> None:
        assert call("fit", "--preset", "celeba-smiling", "--root", "here").code == 0
        assert (asked["source"], asked["preset"]) == (None, "celeba-smiling")
        assert asked["overrides"] == {"data.root": "here"}

    def test_epochs_for_both_stages_replace_the_minutes(
        self, call: CommandLine, asked: dict[str, Any]
    ) -> None:
        call("fit", "pictures", "--images-1", 64, "--train.diffusion_epochs", 3)
        assert asked["overrides"] == {
            "train.vae_gan_images": 64,
            "train.diffusion_epochs": 3.0,
            "train.minutes": None,
        }

    def test_images_for_both_stages_replace_the_minutes(
        self, call: CommandLine, asked: dict[str, Any]
    ) -> None:
        call("fit", "pictures", "--images-1", 64)
        assert asked["overrides"] == {"train.vae_gan_images": 64}
        call("fit", "pictures", "--images-1", 64, "--images-2", 32)
        assert asked["overrides"] == {
            "train.vae_gan_images": 64,
            "train.diffusion_images": 32,
            "train.minutes": None,
        }
        call("fit", "pictures", "--images-1", 64, "--images-2", 32, "--minutes", 9)
        assert asked["minutes"] == 9.0
        assert "train.minutes" not in asked["overrides"]


class Model:
    """Takes notes instead of drawing."""

    spec = ConditionSpec((Factor("smiling", ("no", "yes")), Factor("glasses", ("no", "yes"))))

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def sample(self, **options: Any) -> Model:
        self.asked = options
        return self

    def save(self, folder: Path) -> list[Path]:
        self.asked["folder"] = folder
        return []


class TestSample:
    @pytest.fixture
    def model(self, monkeypatch: pytest.MonkeyPatch) -> Model:
        model = Model()
        module = ModuleType("latentbloom.model.generator")
        module.load = lambda run: model  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "latentbloom.model.generator", module)
        return model

    def test_the_shortest(self, call: CommandLine, model: Model) -> None:
        outcome = call("sample", "runs/a")
        folder = Path("runs/a/samples/any_seed0")
        assert outcome == (0, f"16 pictures in {folder}\n", "")
        assert model.asked == {
            "cond": {},
            "n": 16,
            "seed": 0,
            "guidance": None,
            "guidance_interval": None,
            "num_steps": None,
            "sampler": None,
            "batch_size": 64,
            "folder": folder,
        }

    def test_the_longest(self, call: CommandLine, model: Model) -> None:
        words = (
            "sample runs/a --cond smiling=yes --cond glasses=no -n 1 --seed -5 --guidance 2 "
            "--guidance-interval 0.2,0.8 --steps 20 --sampler dpm++ --batch-size 8 --out there"
        )
        assert call(*words.split()).out == "1 picture in there\n"
        assert model.asked == {
            "cond": {"smiling": "yes", "glasses": "no"},
            "n": 1,
            "seed": -5,
            "guidance": 2.0,
            "guidance_interval": (0.2, 0.8),
            "num_steps": 20,
            "sampler": "dpm++",
            "batch_size": 8,
            "folder": Path("there"),
        }

    def test_the_folder_is_named_by_what_was_asked(self, call: CommandLine, model: Model) -> None:
        call("sample", "r", "--cond", "glasses=any,smiling=yes", "--seed", "4")
        assert model.asked["folder"] == Path("r/samples/glasses-any-smiling-yes_seed4")

    def test_an_unknown_label(self, call: CommandLine, model: Model) -> None:
        outcome = call("sample", "runs/a", "--cond", "smiling=ja")
        assert outcome.code == 2
        assert outcome.err == (
            "latentbloom: 'ja' is no value of 'smiling'. Known values: no, yes (or any).\n"
        )
        assert model.asked == {}
