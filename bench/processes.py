"""Training speed of one process with one thread, with two, and of two processes with one.

    python -m bench.processes [--repeats 3] [--json FILE]

Times the steps of a 20-minute run on pictures of 64 pixels, as `fit` does before it chooses. Each
way runs in new processes; the ways take turns, so that a machine whose speed drifts treats them
alike. Run it with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bench.pieces import keep, this_command
from latentbloom.config import AutoencoderConfig, DataSettings, DenoiserConfig, RunConfig
from latentbloom.data.imageset import ImageSet
from latentbloom.data.sources.open import open_source
from latentbloom.fitting.planning.speeds import Speeds, time_together
from latentbloom.fitting.workers import run_processes

WAYS = ((1, 1), (1, 2), (2, 1))  # processes, threads of each


def speeds(count: int, threads: int) -> Speeds:
    """Images and latents a second of so many new processes that share each batch."""
    config = RunConfig()
    source = open_source(DataSettings(source="synthetic-flowers"), seed=0)
    few = source.entries[: config.vae_gan.batch_size]
    images = ImageSet(source, few, size=64, channels=3)
    autoencoder = AutoencoderConfig(width=48, size=64, channels=3)
    device = torch.device("cpu")
    args = config, autoencoder, DenoiserConfig(width=192, depth=4, stem=64), images, device, "bf16"
    return run_processes(time_together, args, count=count, threads=threads)


def compare(repeats: int) -> dict[str, dict[str, list[float]]]:
    """Speeds by way and stage, one for each repeat."""
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(repeats):
        for count, threads in WAYS:
            one = speeds(count, threads)
            way = found.setdefault(f"{count} x {threads}", {"images": [], "latents": []})
            way["images"].append(one.images)
            way["latents"].append(one.latents)
    return found


def speeds_table(found: dict[str, dict[str, list[float]]]) -> Table:
    """Medians and ranges, a row for each way."""
    table = Table("processes x threads", "stage 1 images/s", "stage 2 latents/s", box=SIMPLE)
    for name, ways in found.items():
        cells = (
            f"{statistics.median(all_of):,.1f} ({min(all_of):,.1f} to {max(all_of):,.1f})"
            for all_of in ways.values()
        )
        table.add_row(name, *cells)
    return table


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    began = time.monotonic()
    found = compare(args.repeats)
    Console().print(speeds_table(found))
    if args.json is not None:
        seconds = time.monotonic() - began
        command = this_command("bench.processes")
        asked = {"repeats": args.repeats}
        keep(
            args.json,
            asked,
            {"speeds": found},
            command=command,
            seconds=seconds,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
