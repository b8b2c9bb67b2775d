"""Scores from the command line: evaluate, compare, and the qualities of `sample`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from latentbloom.evaluate.reference import Reference
from latentbloom.evaluate.scores import Scores
from latentbloom.evaluate.speed_map import Setting, SpeedMap
from latentbloom.model.generator import load
from tests.cli.conftest import CommandLine
from tests.tiny_run import TINY, make_pictures

pytestmark = pytest.mark.slow

SETTINGS = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTBLOOM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    from latentbloom.cli.main import main

    pictures = make_pictures(tmp_path_factory.mktemp("data") / "sky")
    folders = [tmp_path_factory.mktemp("runs") / name for name in ("first", "second")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("latentbloom.fitting.finish.finish", lambda folder, *_: load(folder.path))
        for seed, folder in enumerate(folders):
            command = ["fit", str(pictures), "--out", str(folder), "--seed", str(seed), *SETTINGS]
            assert main(command) == 0
    return folders


@pytest.fixture(scope="module")
def scored(runs: list[Path]) -> list[Path]:
    from latentbloom.cli.main import main

    for run in runs:
        assert main(["evaluate", str(run), "-n", "32", "--per-label", "20"]) == 0
    return runs


def test_evaluate_writes_what_it_prints(call: CommandLine, runs: list[Path]) -> None:
    outcome = call("evaluate", runs[0], "-n", 32, "--per-label", 20)
    assert (outcome.code, outcome.err) == (0, "")
    scores = Scores.load(runs[0] / "scores.json")
    assert scores.pictures.frechet.name == "FD@32/efficientnet-lite2/112"
    assert scores.pictures.frechet.name in outcome.out
    control = scores.pictures.control[0]
    assert control.asked == (20, 20)
    assert f"{100 * control.mean.value:.1f} %" in outcome.out
    assert "below 2048" in outcome.out
    assert scores.reconstruction is not None
    assert scores.reconstruction.perceptual is not None
    assert {"sampler", "num_steps", "guidance"} <= scores.settings.keys()


def test_a_map_of_settings_is_kept_and_used(
    call: CommandLine, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentbloom.evaluate.speed_search.MAPPED", ("sde-dpm++",))
    outcome = call("evaluate", runs[0], "-n", 16, "--per-label", 0, "--map")
    assert (outcome.code, outcome.err) == (0, "")
    found = SpeedMap.load(runs[0] / "quality.json")
    assert found is not None
    assert found.samples == 16
    assert {point.setting.sampler for point in found.points} == {"sde-dpm++"}
    assert {point.setting.num_steps for point in found.points} >= {2, 4, 20, 40}
    assert found.chosen["draft"].num_steps <= 4
    for quality in found.chosen:
        assert quality in outcome.out
    words = ("--quality", "balanced", "-n", 1, "--out", tmp_path)
    assert call("sample", runs[0], *words).code == 0
    settings = json.loads((tmp_path / "records.json").read_text())["settings"]
    assert (
        Setting(**{name: settings[name] for name in Setting.model_fields})
        == found.chosen["balanced"]
    )
    (runs[0] / "quality.json").unlink()  # other tests want a run without it


def test_a_map_uses_the_features_that_were_asked_for_and_loads_everything_once(
    call: CommandLine, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def counted(module: str, name: str) -> None:
        real = getattr(import_module(module), name)

        def wrapped(*args: Any, **how: Any) -> Any:
            loaded.append(name)
            return real(*args, **how)

        monkeypatch.setattr(f"{module}.{name}", wrapped)

    counted("latentbloom.model.generator", "load")
    counted("latentbloom.evaluate.run_sets", "sets_of_run")
    counted("latentbloom.evaluate.reference", "prepare_reference")
    compared: list[str] = []

    def no_map(model: object, reference: Reference, **how: object) -> SpeedMap:
        compared.append(reference.extractor.tag)
        return SpeedMap(samples=4, ceiling=None, points=(), chosen={})

    monkeypatch.setattr("latentbloom.evaluate.speed_search.map_speed", no_map)
    few = ("-n", 16, "--per-label", 0, "--out", tmp_path / "scores.json")
    outcome = call("evaluate", runs[0], *few, "--features", "efficientnet-lite0", "--map")
    assert (outcome.code, outcome.err) == (0, "")
    (runs[0] / "quality.json").unlink()  # other tests want a run without it
    assert compared == ["efficientnet-lite0/112"]
    assert sorted(loaded) == ["load", "prepare_reference", "sets_of_run"]


def test_compare_says_who_is_better(call: CommandLine, scored: list[Path], tmp_path: Path) -> None:
    outcome = call("compare", *scored, "--out", tmp_path / "side.png")
    assert (outcome.code, outcome.err) == (0, "")
    assert "first" in outcome.out
    assert "samples KID" in outcome.out
    assert "none beyond chance" in outcome.out or "is better" in outcome.out
    assert (tmp_path / "side.png").stat().st_size > 1000


def test_compare_wants_scores(call: CommandLine, scored: list[Path], tmp_path: Path) -> None:
    outcome = call("compare", scored[0], tmp_path)
    assert outcome.code == 1
    assert f"Score the run first: latentbloom evaluate {tmp_path}" in outcome.err


def test_a_quality_that_was_not_measured(call: CommandLine, runs: list[Path]) -> None:
    outcome = call("sample", runs[1], "--quality", "draft", "-n", 1)
    assert outcome.code == 1
    assert f"latentbloom evaluate {runs[1]} --map" in outcome.err


def test_a_quality_sets_sampler_steps_and_guidance(
    call: CommandLine, runs: list[Path], tmp_path: Path
) -> None:
    draft = Setting(sampler="heun", num_steps=2, guidance=2.5)
    same = {"draft": draft, "balanced": draft, "best": draft}
    SpeedMap.model_validate({"samples": 4, "ceiling": None, "points": [], "chosen": same}).save(
        runs[0] / "quality.json"
    )
    command = ("sample", runs[0], "--quality", "draft", "-n", 1, "--steps", 3)
    assert call(*command, "--out", tmp_path).code == 0
    settings = json.loads((tmp_path / "records.json").read_text())["settings"]
    assert (settings["sampler"], settings["guidance"]) == ("heun", 2.5)
    assert settings["num_steps"] == 3  # said on its own, it wins


def test_other_pictures_to_compare_with(
    call: CommandLine, runs: list[Path], tmp_path: Path
) -> None:
    other = make_pictures(tmp_path / "other", per_label=10)
    for split in ("train", "val"):
        (other / split / "night").rename(other / split / "dusk")
    out = tmp_path / "deep" / "scores.json"
    outcome = call(
        "evaluate", runs[0], "-n", 20, "--per-label", 0, "--against", other, "--out", out
    )
    assert outcome.code == 0
    scores = Scores.load(out)
    assert "The model knows no label=dusk" in " ".join(scores.pictures.notes)
    assert scores.pictures.control[0].values == ("day", "night")  # those of the run
    assert scores.against is not None
    assert scores.against.pictures == 40
