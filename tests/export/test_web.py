"""`latentbloom export RUN --to web DIR`: one page that samples in a browser, without a network."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from playwright.sync_api import Page, expect

from browser_path import find_chromium
from latentbloom.errors import ConfigError
from latentbloom.export import opening
from latentbloom.export.onnx_folder.sampler import Sampler, noise_for, outputs
from latentbloom.export.web import runtime
from latentbloom.export.web.compact import Precision, compact
from latentbloom.export.web.runtime import Runtime, find_runtime
from latentbloom.export.web.write import make_page, render, write_restored
from tests.export.conftest import OnnxExport

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("onnx_export", ["swift"], indirect=True),
]


@pytest.fixture(scope="module")
def made(onnx_export: OnnxExport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page on disk, and the same networks for Python."""
    try:
        found = find_runtime(lambda _: None)
    except ConfigError as error:
        pytest.skip(str(error))
    model = opening.open_finished(onnx_export.run)
    graphs = {
        name: (onnx_export.folder / f"{name}.onnx").read_bytes() for name in ("denoiser", "decoder")
    }
    page = make_page(model, onnx_export.run, graphs, found)
    folder = tmp_path_factory.mktemp("web")
    (folder / "index.html").write_bytes(page.content)
    write_restored(page, folder / "restored")
    return folder


@pytest.mark.skipif(
    find_chromium() is None, reason="no chromium on this machine: apt-get install chromium"
)
def test_in_a_browser(made: Path, page: Page) -> None:
    asked: list[str] = []
    broken: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: broken.append(message.text))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.set_default_timeout(120_000)
    page.goto((made / "index.html").as_uri())
    expect(page.locator("#pictures canvas")).to_have_count(4, timeout=120_000)
    page.locator("#factor-0").select_option(label="day")
    page.locator("#factor-1").select_option(label="red")  # never shown in training
    page.locator("#seed").fill("11")
    page.locator("#steps").select_option("dpm++ 8")
    page.locator("#go").click()
    page.wait_for_function("document.querySelector('#go').disabled === false")
    result = page.evaluate("window.result")
    assert result["seconds"] < 10
    sampler = Sampler(made / "restored")
    rows = np.tile(np.array([[1, 0]], np.int64), (4, 1))
    noise = noise_for(11, [0, 1, 2, 3], sampler.about["latent_shape"])
    z = sampler.latents(noise, rows, table=sampler.table("dpm++", 8))
    assert np.abs(np.array(result["latents"]).reshape(z.shape) - z).max() < 1e-3
    assert np.abs(z[0] - z[1]).max() > 0.1

    # The picture on the canvas is the decoded latent.
    drawn = page.evaluate(
        "Array.from(document.querySelector('#pictures canvas').getContext('2d')"
        ".getImageData(0, 0, 32, 32).data)"
    )
    shown = np.array(drawn).reshape(32, 32, 4)[..., :3]
    assert np.abs(shown - sampler.decode(z)[0].astype(int)).max() <= 1

    # The path begins with an estimate and ends with the picture.
    steps = page.locator("#path canvas")
    expect(steps).to_have_count(8)
    expect(steps.last).to_have_attribute("aria-label", "step 8 of 8")
    page.locator("#pictures canvas").nth(2).press("Enter")
    expect(page.locator("#pictures canvas").nth(2)).to_have_attribute("aria-pressed", "true")

    # The map decodes the place that is pointed at.
    page.wait_for_selector("#map[data-ready=yes]")
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#there-text")).to_have_text(re.compile(r"^-?\d+\.\d\d, -?\d+\.\d\d$"))
    assert (
        page.evaluate(
            "new Set(document.querySelector('#there').getContext('2d')"
            ".getImageData(0, 0, 32, 32).data).size"
        )
        > 3
    )
    outside = [
        url for url in asked if not url.startswith(("blob:", (made / "index.html").as_uri()))
    ]
    assert outside == []
    assert broken == []


@pytest.mark.parametrize(("precision", "most"), [("float16", 2e-3), ("int8", 3e-2)])
def test_stored_weights(
    onnx_export: OnnxExport, tmp_path: Path, precision: Precision, most: float
) -> None:
    """Fewer bits, nearly the same network; what is restored is what the graph runs on."""
    model = (onnx_export.folder / "decoder.onnx").read_bytes()
    part = compact(model, precision, "decoder")
    (tmp_path / "d.onnx").write_bytes(part.graph)
    (tmp_path / "decoder").write_bytes(part.restored.tobytes())
    z = np.random.default_rng(0).normal(size=(3, 4, 4, 4)).astype(np.float32)
    full = outputs(onnxruntime.InferenceSession(model), {"z": z})[0]
    small = outputs(onnxruntime.InferenceSession(str(tmp_path / "d.onnx")), {"z": z})[0]
    assert 0 < np.abs(full - small).max() < most
    count = sum(
        int(np.prod(t.dims))
        for t in onnx.load_from_string(model).graph.initializer
        if t.data_type == onnx.TensorProto.FLOAT
    )
    assert len(part.restored) > 0.9 * count
    assert len(part.stored) < len(part.restored) * (2.01 if precision == "float16" else 1.2)


def test_names_are_escaped(onnx_export: OnnxExport) -> None:
    page = render({"name": "<script>alert(1)</script>"}, {}, Runtime(b"", b""), "int8").decode()
    assert "<script>alert" not in page
    assert "<title>&lt;script&gt;" in page


class TestRuntime:
    def test_npm_is_missing(
        self, onnx_export: OnnxExport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path))
        monkeypatch.setattr(runtime.shutil, "which", lambda _: None)
        with pytest.raises(ConfigError) as error:
            find_runtime(lambda _: None)
        assert "npm, which fetches it, is not installed. Install Node.js. Or run" in str(
            error.value
        )
        assert str(tmp_path) in str(error.value)

    def test_the_network_is_missing(
        self, onnx_export: OnnxExport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(command: list[str], **_: object) -> None:
            raise subprocess.CalledProcessError(
                1, command, stderr="npm error\nENOTFOUND registry\n"
            )

        monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path))
        monkeypatch.setattr(runtime.shutil, "which", lambda _: "npm")
        monkeypatch.setattr(runtime.subprocess, "run", fail)
        with pytest.raises(ConfigError, match=r"npm could not fetch onnxruntime-web@.*: ENOT"):
            find_runtime(lambda _: None)
        assert list(tmp_path.iterdir()) == []
