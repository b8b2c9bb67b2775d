"""`latentbloom export RUN --to diffusers DIR`: plain diffusers makes the same pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

import latentbloom
from finished_run import SPEC, make_finished_run, run_without
from latentbloom.config import SamplingSettings
from latentbloom.export.diffusers_folder.write import export_diffusers
from latentbloom.export.standalone import standalone_source
from tests.export.conftest import SHOWN

pytestmark = pytest.mark.slow

FAMILIES = ("swift", "classic", "pixel")
ASKED = [
    {"shade of day": "day", "colour": "red"},  # never shown to swift
    {"shade of day": "night", "colour": "blue=ish"},
    {"colour": "green"},
    {},
]

SAMPLE = """
import json, os, sys
modules, asked, *folders = sys.argv[1:]
os.environ['HF_MODULES_CACHE'] = modules
os.environ['HF_HUB_OFFLINE'] = '1'
os.environ.pop('DIFFUSERS_DISABLE_REMOTE_CODE', None)
import numpy as np
from diffusers import DiffusionPipeline, UNet2DModel
asked = json.loads(asked)
for folder in folders:
    pipeline = DiffusionPipeline.from_pretrained(
        folder, custom_pipeline=folder, trust_remote_code=True
    )
    pipeline.set_progress_bar_config(disable=True)
    latents = pipeline(asked, seed=5, output_type='latent').images.numpy()
    pictures = pipeline(asked, seed=5, output_type='pt').images.numpy()
    few = pipeline(asked[1], num_images=2, seed=5, num_inference_steps=2, guidance_scale=1.0)
    assert [image.size for image in few.images] == [(32, 32)] * 2
    few = np.stack([np.asarray(image) for image in few.images])
    np.savez(f'{folder}.npz', latents=latents, pictures=pictures, few=few)
    print(json.dumps([type(pipeline.denoiser).__name__, type(pipeline.denoiser).__module__,
        [factor['name'] for factor in pipeline.config['factors']]]))
"""


class Outcome(NamedTuple):
    """A run, its export, and what plain diffusers made of it."""

    family: str
    run: Path
    folder: Path
    arrays: dict[str, np.ndarray]
    said: tuple[str, str, list[str]]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """All three families, loaded in one process one after another."""
    base = tmp_path_factory.mktemp("diffusers")
    sampling = SamplingSettings(num_steps=4, guidance=2.0, guidance_interval=(0.0, 0.9))
    for family in FAMILIES:
        shown = SHOWN if family == "swift" else None
        run = make_finished_run(base / f"{family}-run", family, shown=shown, sampling=sampling)
        export_diffusers(run, base / family, say=lambda _: None)
    done = run_without(
        ["latentbloom"], SAMPLE, base / "modules", json.dumps(ASKED), *map(base.joinpath, FAMILIES)
    )
    assert done.returncode == 0, done.stderr
    found = {}
    for family, line in zip(FAMILIES, done.stdout.strip().splitlines(), strict=True):
        with np.load(base / f"{family}.npz") as arrays:
            found[family] = Outcome(
                family,
                base / f"{family}-run",
                base / family,
                dict(arrays.items()),
                json.loads(line),
            )
    return found


@pytest.fixture(params=FAMILIES)
def outcome(request: pytest.FixtureRequest, outcomes: dict[str, Outcome]) -> Outcome:
    return outcomes[request.param]


def test_the_same_pictures(outcome: Outcome) -> None:
    model = latentbloom.load(outcome.run, device="cpu", full_precision=True)
    records = model.sample(ASKED, seed=5)
    latents = np.stack([record.z.numpy() for record in records])
    size = max(1.0, float(np.abs(latents).max()))
    assert np.abs(outcome.arrays["latents"] - latents).max() < 1e-5 * size
    pictures = (
        (model.decode(torch.stack([record.z for record in records])) / 2 + 0.5).clamp(0, 1).numpy()
    )
    assert np.abs(outcome.arrays["pictures"] - pictures).max() < 1e-4
    assert np.abs(pictures[0] - pictures[1]).max() > 0.1
    few = model.sample(ASKED[1], n=2, seed=5, num_steps=2, guidance=1.0)
    expected = np.stack([record.image for record in few]).astype(int)
    assert np.abs(outcome.arrays["few"].astype(int) - expected).max() <= 1


def test_classes(outcome: Outcome) -> None:
    """`pixel` is a stock network; the others bring their own code."""
    name, module, _ = outcome.said
    if outcome.family == "pixel":
        assert name == "UNet2DModel"
        assert module.startswith("diffusers.models")
        assert not list((outcome.folder / "denoiser").glob("*.py"))
    else:
        assert name == "LatentbloomDenoiser"
        assert module.startswith("diffusers_modules.local")


def test_labels_keep_their_order(outcome: Outcome) -> None:
    assert outcome.said[2] == list(SPEC.names)
    index = json.loads((outcome.folder / "model_index.json").read_text())
    assert index["factors"] == SPEC.to_json()
    config = json.loads((outcome.folder / "scheduler" / "scheduler_config.json").read_text())
    assert config["_class_name"] == "DPMSolverMultistepScheduler"


def test_files_can_be_read_by_others(outcome: Outcome) -> None:
    files = [path for path in outcome.folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors", ".py", ".md"}
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o644, path
        if path.suffix == ".py":
            assert "import latentbloom" not in path.read_text()
            assert "from latentbloom" not in path.read_text()


def test_two_modules_with_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "latentbloom_extra"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("def same() -> int:\n    return 1\n")
    (package / "two.py").write_text(
        "from latentbloom_extra.one import same as other\n\n\ndef same() -> int:\n    return 2\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=r"latentbloom_extra\.two and .*one both define same"):
        standalone_source("latentbloom_extra.two", "Both.")


def test_remote_code_is_off_in_these_tests() -> None:
    assert os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] == "1"
