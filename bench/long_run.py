"""Memory, open files and threads of a long run of tiny pictures through both stages.

    python -m bench.long_run --images 100000 --json FILE

A line is fitted to the memory of each stage, after its first fifth; a leak of one small object a
picture would show as a slope. The run folder is measured at the end of each stage, too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

import latentbloom
from bench.crashes import settings
from latentbloom.runs.metrics import read_metrics
from latentbloom.storage.disk import Step, watched_by
from latentbloom.words import plural

WARM_UP = 0.2
STAGES = ("vae_gan", "diffusion")


def make_pictures(folder: Path, count: int) -> Path:
    """Noise of two brightnesses, a tenth of it held out."""
    rng = np.random.default_rng(0)
    for k in range(count):
        label, level = (("day", 190), ("night", 60))[k % 2]
        place = folder / ("val" if k % 20 < 2 else "train") / label
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.normal(level, 30, (32, 32)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{k}.png")
    return folder


class Watch:
    """Notes memory, open files and threads whenever a line of metrics is written."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.process = psutil.Process()
        self.samples: list[dict[str, float]] = []

    def __call__(self, step: Step, path: Path) -> None:
        if step != "append" or path.parent != self.run:
            return
        self.samples.append(
            {
                "rss": self.process.memory_info().rss,
                "files": self.process.num_fds(),
                "threads": threading.active_count(),
                "system threads": self.process.num_threads(),
            }
        )


def slope(images: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Growth for each 1,000 images, and its standard error."""
    x = images / 1000.0
    (gradient, offset), covariance = np.polyfit(x, values, 1, cov=True)
    del offset
    return float(gradient), float(np.sqrt(covariance[0, 0]))


def folder_size(folder: Path) -> tuple[int, int]:
    """Bytes and files in it."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(sizes), len(sizes)


def measure(work: Path, images: int) -> dict[str, Any]:
    """Run, and give the figures of each stage."""
    pictures, run = make_pictures(work / "pictures", 2000), work / "run"
    chosen = settings(images) | {
        "train.minutes": None,
        "train.log_seconds": 0.2,
        "train.checkpoint_seconds": 5.0,
        "train.preview_seconds": 5.0,  # the first one, which loads modules, comes before the line
        "train.checkpoint_epochs": None,
        "train.decoder_images": None,
        "vae_gan.batch_size": 32,
        "diffusion.batch_size": 32,
    }
    watch, began = Watch(run), time.monotonic()
    with watched_by(watch):
        latentbloom.fit(pictures, out=run, overrides=chosen)
    lines = read_metrics(run / "metrics.jsonl")
    known = [dict(line) | sample for line, sample in zip(lines, watch.samples, strict=True)]
    found: dict[str, Any] = {"images of each stage": images}
    for stage in STAGES:
        late = [s for s in known if s["stage"] == stage and s["images"] > WARM_UP * images]
        seen = np.array([s["images"] for s in late])
        memory, error = slope(seen, np.array([s["rss"] for s in late]) / 1024)
        found[stage] = {
            "samples": len(late),
            "KiB per 1,000 images": round(memory, 3),
            "standard error": round(error, 3),
            "MiB": [round(f(s["rss"] for s in late) / 2**20, 1) for f in (min, max)],
            "open files": [f(s["files"] for s in late) for f in (min, max)],
            "threads": [f(s["system threads"] for s in late) for f in (min, max)],
        }
    size, count = folder_size(run)
    found["run folder"] = {"MiB": round(size / 2**20, 2), "files": count, "lines": len(lines)}
    found["seconds"] = round(time.monotonic() - began, 1)
    return found


def main() -> int:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=100_000, help="through each of two stages")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="latentbloom-long-"))
    try:
        found = measure(work, args.images)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    text = json.dumps(found, indent=1)
    print(plural(2 * args.images, "image"), text)
    if args.json:
        args.json.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
