"""`latentbloom export RUN --to onnx DIR`: the networks, the constants and a script that samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from latentbloom.commands import command_line
from latentbloom.export.description import describe_model, sampler_tables
from latentbloom.export.opening import (
    check_new_folder,
    fill_new_folder,
    need_packages,
    open_finished,
)
from latentbloom.export.standalone import standalone_source
from latentbloom.model.generator import Model
from latentbloom.storage.files import write_atomic

PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def export_onnx(
    run: Path | str, folder: Path | str, *, say: Callable[[str], None] = print
) -> dict[str, float]:
    """Write a finished run as ONNX files.

    The folder gets `denoiser.onnx` (guidance inside), `encoder.onnx` and `decoder.onnx`, each whole
    in one file and for any batch size; `model.json` with labels, schedule and step tables;
    `sample.py`, which needs numpy and onnxruntime alone; and `README.md`.

    Arguments:
        run: The run folder.
        folder: A new folder.
        say: Called with what is being done.

    Returns:
        Largest absolute differences from the model itself, for the same noise.

    Raises:
        RunFolderError: The run is not finished, or the folder is taken.
        ConfigError: A package is missing; the message names the extra.
    """
    run, folder = Path(run), Path(folder)
    need_packages(PACKAGES, "export")
    check_new_folder(folder)
    model = open_finished(run)
    return fill_new_folder(folder, lambda place: _fill(model, run, place, say))


def _fill(model: Model, run: Path, place: Path, say: Callable[[str], None]) -> dict[str, float]:
    from latentbloom.export.onnx_folder import graphs, script
    from latentbloom.export.onnx_folder.parity import measure_parity

    for name, write in (
        ("denoiser", graphs.write_denoiser),
        ("encoder", graphs.write_encoder),
        ("decoder", graphs.write_decoder),
    ):
        say(f"Writing {name}.onnx")
        write(model, place / f"{name}.onnx")
    write_description(model, run, place / "model.json")
    assert script.__doc__ is not None
    write_atomic(place / "sample.py", standalone_source(script.__name__, script.__doc__))
    parity = measure_parity(model, place)
    write_atomic(place / "README.md", _readme(model, run, parity))
    return parity


def write_description(model: Model, run: Path, path: Path) -> None:
    """Write `model.json`, with each row of a table on a line."""
    about = describe_model(model, run)
    for factor, name in zip(about["factors"], graphs_inputs(model), strict=True):
        factor["input"] = name
    tables = sampler_tables(model, about["sampling"])
    body = json.dumps(about, indent=1, ensure_ascii=False).removesuffix("\n}")
    lines = ",\n".join(json.dumps(table) for table in tables)
    write_atomic(path, f'{body},\n "samplers": [\n{lines}\n ]\n}}\n')


def graphs_inputs(model: Model) -> list[str]:
    """Names of the condition inputs, without importing the exporter."""
    return [f"cond_{place}" for place in range(len(model.spec.factors))]


def _readme(model: Model, run: Path, parity: dict[str, float]) -> str:
    about = describe_model(model, run)
    factors = [f"- `{f['name']}`: {', '.join(f['values'])}" for f in about["factors"]]
    example = next(model.spec.combinations())
    options = " ".join(command_line("sample", cond=example).split(" ")[2:])
    lines = [
        f"# {about['name']}",
        "",
        f"A model of {model.size} x {model.size} pictures as ONNX files, made by "
        f"{about['made_by']}. It needs numpy and onnxruntime:",
        "",
        "```sh",
        "pip install numpy onnxruntime",
        f"python sample.py {options} -n 16 --seed 0 --out pictures",
        "```",
        "",
        "Conditions:",
        "",
        *factors,
        "",
        "| file | inputs | outputs |",
        "| --- | --- | --- |",
        "| `denoiser.onnx` | `x_t` (B, C, h, w), `t` (B,), `guidance` (B,), "
        f"{', '.join(f'`{name}` int64 (B,)' for name in graphs_inputs(model))} | "
        "`x0_hat` (B, C, h, w) |",
        "| `encoder.onnx` | `image` (B, channels, H, W) in [-1, 1] | "
        "`latent_mean`, `latent_std` (B, C, h, w) |",
        "| `decoder.onnx` | `z` (B, C, h, w) | `image` in [-1, 1] |",
        "",
        "`model.json` has the labels in their order, the schedule, and for each sampler a table: "
        "x_t at evaluation i is row[0] noise + sum of row[j + 1] x0_hat of evaluation j; the last "
        'row gives the latent of the picture. The index after the last value means "any".',
        "",
        "Largest absolute differences from latentbloom in float32, for the same noise:",
        "",
        "| what | difference |",
        "| --- | --- |",
        *(f"| {name} | {value:.1e} |" for name, value in parity.items()),
        "",
    ]
    if about["data"]["terms"]:
        lines += [f"**Terms of the training pictures.** {about['data']['terms']}", ""]
    return "\n".join(lines)
