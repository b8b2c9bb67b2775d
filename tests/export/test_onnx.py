"""`latentbloom export RUN --to onnx DIR`: the same pictures, without this program."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import latentbloom
from finished_run import run_without
from latentbloom.export.onnx_folder.sampler import Sampler, noise_for, outputs
from latentbloom.export.onnx_folder.script import png
from tests.export.conftest import OnnxExport

pytestmark = pytest.mark.slow

ASKED = [
    {"shade of day": "day", "colour": "red"},  # swift: a combination that was never shown
    {"shade of day": "night", "colour": "blue=ish"},
    {"colour": "green"},
    {},
    {"shade of day": "day", "colour": "green"},
]


def test_files(onnx_export: OnnxExport) -> None:
    names = {path.name for path in onnx_export.folder.iterdir()}
    assert names == {
        "README.md", "decoder.onnx", "denoiser.onnx", "encoder.onnx", "model.json", "sample.py"
    }  # fmt: skip
    for path in onnx_export.folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o644
    assert not [path for path in onnx_export.folder.parent.iterdir() if ".new." in path.name]


def test_parity_is_measured_and_small(onnx_export: OnnxExport) -> None:
    assert len(onnx_export.parity) == 7
    # Latents of the untrained classic model are in the hundreds.
    most = 2e-3 if "classic" in str(onnx_export.run) else 1e-4
    assert all(0 <= value < most for value in onnx_export.parity.values()), onnx_export.parity
    assert onnx_export.parity["picture after all steps"] < 1e-4
    assert max(onnx_export.parity.values()) > 0
    text = (onnx_export.folder / "README.md").read_text()
    assert f"| decoder | {onnx_export.parity['decoder']:.1e} |" in text


def test_the_same_pictures_as_here(onnx_export: OnnxExport) -> None:
    """Latents and pictures, with this test's own loop over `Model.sample`."""
    model = latentbloom.load(onnx_export.run, device="cpu", full_precision=True)
    records = model.sample(ASKED, seed=5, indices=[0, 1, 2, 7, 400], sampler="dpm++")
    exported = Sampler(onnx_export.folder)
    rows = np.array([exported.indices(words) for words in ASKED], np.int64)
    noise = noise_for(5, [0, 1, 2, 7, 400], exported.about["latent_shape"])
    z = exported.latents(noise, rows)
    expected = torch.stack([r.z for r in records]).numpy()
    assert np.abs(z - expected).max() < 1e-5 * max(10.0, np.abs(expected).max())
    ours = exported.decode(z).astype(int)
    theirs = np.stack([r.image for r in records]).astype(int)
    assert np.abs(ours - theirs).max() <= 1
    assert np.abs(theirs[0] - theirs[1]).max() > 20  # pictures differ, so that this says something


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_any_batch_size(onnx_export: OnnxExport, rows: int) -> None:
    exported = Sampler(onnx_export.folder)
    shape = (rows, *exported.about["latent_shape"])
    z = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    image = outputs(exported.decoder, {"z": z})[0]
    assert image.shape == (rows, 3, 32, 32)
    mean, std = outputs(exported.encoder, {"image": image})
    assert mean.shape == std.shape == shape
    cond = np.tile(np.array([[1, 2]], np.int64), (rows, 1))
    assert exported.estimate(z, 0.5, cond, 2.0).shape == shape


def test_guidance_is_inside(onnx_export: OnnxExport) -> None:
    """W = 0 ignores the conditions; w moves along one line, row by row."""
    session = onnxruntime.InferenceSession(str(onnx_export.folder / "denoiser.onnx"))
    about = json.loads((onnx_export.folder / "model.json").read_text())
    rng = np.random.default_rng(1)
    x_t = np.repeat(rng.normal(size=(1, *about["latent_shape"])).astype(np.float32), 4, axis=0)
    feed = {
        "x_t": x_t,
        "t": np.full(4, 0.6, np.float32),
        "guidance": np.array([0, 0, 1, 3], np.float32),
        "cond_0": np.array([0, 1, 1, 1]),
        "cond_1": np.array([0, 2, 2, 2]),
    }
    free, also_free, plain, strong = outputs(session, feed)[0]
    np.testing.assert_allclose(free, also_free, rtol=1e-5, atol=1e-5)
    assert np.abs(plain - free).max() > 1e-2
    np.testing.assert_allclose(strong, free + 3 * (plain - free), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("onnx_export", ["swift"], indirect=True)
class TestScript:
    def test_runs_without_latentbloom_and_torch(
        self, onnx_export: OnnxExport, tmp_path: Path
    ) -> None:
        script = onnx_export.folder / "sample.py"
        code = "import runpy\nsys.argv = sys.argv[1:]\n"
        code += "runpy.run_path(sys.argv[0], run_name='__main__')"
        blocked = ["latentbloom", "torch", "diffusers", "PIL"]
        out = tmp_path / "pictures"
        done = run_without(
            blocked, code, script, "--cond", "shade of day=day", "--cond", "colour=blue=ish",
            "-n", 3, "--seed", 9, "--steps", 8, "--sampler", "unipc", "--out", out,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        model = latentbloom.load(onnx_export.run, device="cpu", full_precision=True)
        words = {"shade of day": "day", "colour": "blue=ish"}
        records = model.sample(words, n=3, seed=9, num_steps=8, sampler="unipc")
        for record in records:
            picture = np.asarray(Image.open(out / f"seed9_{record.index:04d}.png")).astype(int)
            assert np.abs(picture - record.image).max() <= 1

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--cond", "size=big"], "'size' is no condition. Known: shade of day, colour."),
            (["--cond", "colour=pink"], "'pink' is no value of 'colour'. Known: red, blue=ish"),
            (["--cond", "colour"], "'colour' is not NAME=VALUE."),
            (["--steps", "5"], "There is no table for dpm++ with 5 steps. Known: dpm++ 4"),
            (["-n", "0"], "-n is 0; at least 1 picture"),
            (["--quality", "best"], "'best' is not known here. Known: default."),
        ],
    )
    def test_bad_words(
        self,
        onnx_export: OnnxExport,
        words: list[str],
        message: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        import runpy

        script = str(onnx_export.folder / "sample.py")
        monkeypatch.setattr("sys.argv", [script, *words])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(script, run_name="__main__")
        assert end.value.code == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("channels", [1, 3])
def test_png(tmp_path: Path, channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 9, channels)).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(png(image))
    read = np.asarray(Image.open(tmp_path / "a.png")).reshape(image.shape)
    np.testing.assert_array_equal(read, image)


def test_the_blocker_blocks() -> None:
    done = run_without(["latentbloom"], "import latentbloom")
    assert done.returncode != 0
    assert "latentbloom is not here" in done.stderr
