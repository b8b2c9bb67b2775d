"""Colour as a condition from the command line: a run stores what was found, and reuses it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from latentbloom.evaluate.against.other_set import open_other
from latentbloom.evaluate.run_sets import sets_of_run
from latentbloom.runs.folder import RunFolder
from tests.cli.conftest import CommandLine
from tests.picture_files import save
from tests.tiny_run import TINY

SETTINGS = [w for name, value in TINY.items() for w in (f"--{name}", str(value))]
INKS = {"red": (210, 30, 30), "yellow": (250, 210, 30), "white": (245, 245, 245)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Discs on grass: 24 roses, red and yellow, and 24 white daisies."""
    monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    inside = np.hypot(*(np.mgrid[:32, :32] - 15.5)) < 10
    for kind, inks in (("rose", ("red", "yellow")), ("daisy", ("white",))):
        for k in range(24):
            ink = inks[k % len(inks)]
            flat = np.where(inside[..., None], INKS[ink], (70, 110, 50))
            pixels = (flat + rng.normal(0, 12, (32, 32, 3))).clip(0, 255).astype(np.uint8)
            save(tmp_path / "flowers" / kind / f"{ink}{k}.png", pixels)
    return tmp_path / "flowers"


def test_a_grey_model_cannot_show_a_colour(call: CommandLine, folder: Path, tmp_path: Path) -> None:
    words = ["--factors", "label,colour", "--data.channels", "1"]
    outcome = call("fit", folder, "--out", tmp_path / "run", *words)
    assert outcome.code == 2
    assert "data.channels is 1, and a grey model cannot show a colour." in outcome.err


@pytest.mark.slow
def test_a_run_with_found_colours(call: CommandLine, folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = [*SETTINGS, "--data.channels", "3", "--factors", "label,colour"]
    outcome = call("fit", folder, "--out", run, *words)
    assert outcome.code == 0, outcome.err
    assert "colour was computed from the pictures" in " ".join(outcome.out.split())
    assert "Colours found in the pictures" in outcome.out
    assert (run / "figures" / "color_label_sample.png").is_file()
    kept = json.loads((run / "colours.json").read_text())["pictures"]
    assert len(kept) == 48

    # As if another version of the program had named it: the run's own finds hold.
    kept["rose/red0.png"][0] = "white"
    (run / "colours.json").write_text(json.dumps({"recipe": 0, "pictures": kept}))
    train, val = sets_of_run(RunFolder(run), accept_changed_data=True)
    labels = {e.name: e.labels[1] for s in (train, val) for e in s.entries}
    factor = train.spec.factor("colour")
    assert factor.word(labels["rose/red0.png"]) == "white"
    assert factor.word(labels["rose/red2.png"]) == "red"

    wanted = {"data.factors": "label,colour"}
    other = open_other(RunFolder(run), f"{folder}/", train.spec, overrides=wanted).images
    found = {e.name: e.labels[1] for e in other.entries}
    assert all(
        other.spec.factor("colour").word(index) == Path(name).stem.rstrip("0123456789")
        for name, index in found.items()
    )
    outcome = call("show", run, "colours")
    assert outcome.code == 0, outcome.err
    assert "colours: color_label_sample.png" in outcome.out
