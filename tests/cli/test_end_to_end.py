"""The command line on real files: audit, fit, fit again, sample; and what people get wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import CommandLine
from tests.tiny_run import TINY, make_pictures

pytestmark = pytest.mark.slow

SETTINGS = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("data") / "sky")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Path:
    from latentbloom.cli.main import main

    folder = tmp_path_factory.mktemp("runs") / "sky"
    assert main(["fit", str(pictures), "--out", str(folder), *SETTINGS]) == 0
    return folder


def test_audit(call: CommandLine, pictures: Path, tmp_path: Path) -> None:
    outcome = call("audit", pictures, "--out", tmp_path / "deep" / "audit.json")
    assert (outcome.code, outcome.err) == (0, "")
    for word in ("day", "night", "24"):
        assert word in outcome.out
    assert json.loads((tmp_path / "deep" / "audit.json").read_text())["channels"] == 1


def test_dry_run_leaves_nothing(call: CommandLine, pictures: Path, tmp_path: Path) -> None:
    outcome = call("fit", pictures, "--out", tmp_path / "run", "--dry-run", *SETTINGS)
    assert (outcome.code, outcome.err) == (0, "")
    assert not (tmp_path / "run").exists()


def test_the_same_command_again_changes_nothing(
    call: CommandLine, pictures: Path, run: Path
) -> None:
    weights = run / "conditional_diffusion_final" / "model.safetensors"
    before = weights.read_bytes(), weights.stat().st_mtime_ns
    assert call("fit", pictures, "--out", run, *SETTINGS).code == 0
    assert (weights.read_bytes(), weights.stat().st_mtime_ns) == before


def test_other_settings_are_not_mixed_in(call: CommandLine, pictures: Path, run: Path) -> None:
    outcome = call("fit", pictures, "--out", run, *SETTINGS, "--diffusion.lr", "0.5")
    assert outcome.code == 1
    assert "is a run with other settings: diffusion.lr was " in outcome.err


def test_samples_do_not_depend_on_the_batch(call: CommandLine, run: Path, tmp_path: Path) -> None:
    asked = ("sample", run, "--cond", "label=night", "--seed", 5, "--guidance", 2, "--steps", 4)
    a, b = tmp_path / "a", tmp_path / "b"
    assert call(*asked, "-n", 5, "--sampler", "ddim", "--out", a).code == 0
    assert call(*asked, "-n", 3, "--sampler", "ddim", "--batch-size", 1, "--out", b).code == 0
    described = json.loads((b / "records.json").read_text())["pictures"]
    assert [picture["index"] for picture in described] == [0, 1, 2]
    assert {picture["cond"]["label"] for picture in described} == {"night"}
    for picture in described:
        assert (a / picture["file"]).read_bytes() == (b / picture["file"]).read_bytes()
        with Image.open(b / picture["file"]) as image:
            assert (image.mode, image.size) == ("L", (32, 32))
    assert (b / "grid.png").is_file()


class TestMistakes:
    def test_no_such_run(self, call: CommandLine, tmp_path: Path) -> None:
        outcome = call("sample", tmp_path / "nowhere")
        assert outcome.code == 1
        assert str(tmp_path / "nowhere") in outcome.err

    def test_no_such_source(self, call: CommandLine, tmp_path: Path) -> None:
        for command in ("fit", "audit"):
            outcome = call(command, tmp_path / "nowhere")
            assert outcome.code == 1
            assert str(tmp_path / "nowhere") in outcome.err
            assert "synthetic-flowers" in outcome.err

    def test_an_unknown_condition(self, call: CommandLine, run: Path, tmp_path: Path) -> None:
        outcome = call("sample", run, "--cond", "smilling=yes", "--out", tmp_path)
        assert outcome.code == 2
        assert "'smilling' is no condition of this model. Known conditions: " in outcome.err

    def test_a_checkpoint_that_was_cut(self, call: CommandLine, run: Path, tmp_path: Path) -> None:
        copy = tmp_path / "copy"
        for file in run.rglob("*"):
            if file.is_file():
                (copy / file.relative_to(run)).parent.mkdir(parents=True, exist_ok=True)
                (copy / file.relative_to(run)).write_bytes(file.read_bytes())
        os.truncate(copy / "conditional_diffusion_final" / "model.safetensors", 100)
        outcome = call("sample", copy)
        assert outcome.code == 1
        assert "conditional_diffusion_final: model.safetensors is cut short (found 100 bytes" in (
            outcome.err
        )
        assert str(copy / "conditional_diffusion_last") in outcome.err
