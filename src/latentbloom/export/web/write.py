"""`latentbloom export RUN --to web DIR`: one page that samples in a browser, without a network."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentbloom.export.description import describe_model, sampler_tables
from latentbloom.export.opening import (
    check_new_folder,
    fill_new_folder,
    need_packages,
    open_finished,
)
from latentbloom.export.web.compact import Compact, Precision, compact
from latentbloom.export.web.latent_map import map_data
from latentbloom.export.web.runtime import Runtime, find_runtime
from latentbloom.model.generator import Model
from latentbloom.storage.files import write_atomic

TEMPLATES = Path(__file__).parent / "templates"
MOST_BYTES = 12_000_000
"""The largest page that keeps 16-bit weights; above it they are stored in 8 bits."""

NETWORKS = ("denoiser", "decoder")


def export_web(
    run: Path | str, folder: Path | str, *, say: Callable[[str], None] = print
) -> dict[str, float | str]:
    """Write a finished run as a page, DIR/index.html, that holds everything it needs.

    It opens from disk or from any host of static files, and asks for nothing else.

    Arguments:
        run: The run folder.
        folder: A new folder.
        say: Called with what is being done.

    Returns:
        `bytes` of the page, the `precision` of its weights, and `latent`: the largest absolute
        difference of latents from the model's, which have unit variance, for the same noise.

    Raises:
        RunFolderError: The run is not finished, or the folder is taken.
        ConfigError: A package or npm is missing; the message says what to do.
    """
    run, folder = Path(run), Path(folder)
    need_packages(("onnx", "onnxscript", "onnxruntime"), "export")
    check_new_folder(folder)
    model = open_finished(run)
    runtime = find_runtime(say)

    graphs = _graphs(model, say)

    def fill(place: Path) -> dict[str, float | str]:
        page = make_page(model, run, graphs, runtime)
        write_atomic(place / "index.html", page.content)
        return {
            "bytes": len(page.content),
            "precision": page.precision,
            "latent": _distance(model, page, graphs),
        }

    return fill_new_folder(folder, fill)


@dataclass(frozen=True)
class Page:
    """A page and what is in it.

    Attributes:
        content: HTML, UTF-8.
        precision: Of the stored weights.
        about: What the page knows of the model.
        parts: Graphs and weights by network.
    """

    content: bytes
    precision: Precision
    about: dict[str, Any]
    parts: dict[str, Compact]


def make_page(model: Model, run: Path, graphs: dict[str, bytes], runtime: Runtime) -> Page:
    """The page of a model, with 16-bit weights where it stays small enough, else with 8-bit ones.

    Arguments:
        model: The model.
        run: Its folder.
        graphs: ONNX files of "denoiser" and "decoder".
        runtime: onnxruntime-web.
    """
    about = describe_model(model, run)
    about["samplers"] = sampler_tables(model, about["sampling"])
    about["map"] = map_data(model, run)

    def made(precision: Precision) -> Page:
        parts = {name: compact(graph, precision, name) for name, graph in graphs.items()}
        return Page(render(about, parts, runtime, precision), precision, about, parts)

    page = made("float16")
    return page if len(page.content) <= MOST_BYTES else made("int8")


def write_restored(page: Page, folder: Path) -> None:
    """Write the networks as the page restores them, for `onnx_folder.sampler.Sampler`."""
    write_atomic(folder / "model.json", json.dumps(page.about))
    for name, part in page.parts.items():
        write_atomic(folder / f"{name}.onnx", part.graph)
        write_atomic(folder / name, part.restored.tobytes())


def _graphs(model: Model, say: Callable[[str], None]) -> dict[str, bytes]:
    from latentbloom.export.onnx_folder.graphs import write_decoder, write_denoiser

    with tempfile.TemporaryDirectory() as folder:
        for name, write in (("denoiser", write_denoiser), ("decoder", write_decoder)):
            say(f"Making the graph of the {name}")
            write(model, Path(folder) / name)
        return {name: (Path(folder) / name).read_bytes() for name in NETWORKS}


def render(
    about: dict[str, Any], parts: dict[str, Compact], runtime: Runtime, precision: Precision
) -> bytes:
    """The page.

    Arguments:
        about: What the page knows of the model.
        parts: Graphs and weights by network.
        runtime: onnxruntime-web.
        precision: Of the weights.
    """
    about = {
        **about,
        "precision": precision,
        "layouts": {name: part.layout for name, part in parts.items()},
    }
    data = {
        "about": json.dumps(about).encode(),
        "script": runtime.script,
        "wasm": runtime.wasm,
        **{f"{name}-graph": part.graph for name, part in parts.items()},
        **{f"{name}-weights": part.stored for name, part in parts.items()},
    }
    texts = {
        name: (TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js")
    }
    blocks = "\n".join(
        f'<script type="application/gzip" id="data-{name}">{_packed(content)}</script>'
        for name, content in data.items()
    )
    page = (TEMPLATES / "page.html").read_text(encoding="utf-8")
    for name, text in {**texts, "data": blocks, "title": _escaped(about["name"])}.items():
        page = page.replace(f"<!-- {name} -->", text)
    return page.encode()


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _escaped(text: str) -> str:
    from markupsafe import escape

    return str(escape(text))


def _distance(model: Model, page: Page, graphs: dict[str, bytes]) -> float:
    """Largest difference of latents after all steps between stored and full weights."""
    from latentbloom.export.onnx_folder.sampler import Sampler
    from latentbloom.model.request import Request

    request = Request([*itertools.islice(model.spec.combinations(), 3), {}], seed=0)
    noise = request.noise(model.autoencoder.latent_shape).numpy()
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_restored(page, folder)
        for _ in ("stored", "full"):
            sampler = Sampler(folder)
            rows = np.array([sampler.indices(words) for words in request.asked], np.int64)
            found.append(sampler.latents(noise, rows))
            for network, graph in graphs.items():
                write_atomic(folder / f"{network}.onnx", graph)
    return float(np.abs(found[1] - found[0]).max())
