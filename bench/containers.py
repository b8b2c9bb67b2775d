"""The same pictures as a folder, a zip and shards: packing, start-up, memory, reading.

    python -m bench.containers --pictures 20000 --work WORK [--table FILE]

Renders N small JPEGs in two label folders, zips and packs them, and measures each form in a process
of its own. "Cold" is after the kernel was told to drop the files' pages; directory entries stay
cached, so a folder on a disk that was just attached is slower still.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from latentbloom.data.packing.pack_plan import PackPlan
from latentbloom.data.packing.pack_shards import pack_source
from latentbloom.data.sources.open import open_source
from latentbloom.errors import LatentbloomError

SIDE = 64
READ = 4000
KINDS = ("folder", "zip", "shards")
TABLE = (
    "| form | files | MB | start-up cold / warm, s | memory, MB | random pictures/s cold / warm |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def render(folder: Path, count: int) -> None:
    """Write JPEGs of coarse noise into two label folders; those that are there are kept."""
    from PIL import Image

    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True, exist_ok=True)
    for k in range(count):
        path = folder / ("cat", "dog")[k % 2] / f"{k:07d}.jpg"
        if not path.exists():
            cells = np.random.default_rng(k).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(cells).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)


def zip_up(folder: Path, file: Path) -> float:
    """Put a folder into a zip without compressing; returns the seconds."""
    start = time.perf_counter()
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob("*.jpg")):
            archive.write(path, path.relative_to(folder))
    return time.perf_counter() - start


def pack(folder: Path, out: Path, workers: int) -> float:
    """Pack a folder into shards; returns the seconds."""
    start = time.perf_counter()
    pack_source(PackPlan(open_source(str(folder))), out, workers=workers)
    return time.perf_counter() - start


def drop_pages(place: Path) -> None:
    """Make the kernel forget the content of a file, or of all files of a folder."""
    for path in [place] if place.is_file() else place.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def measure(source: str) -> dict[str, float]:
    """Open a source and read random pictures of it, in this process."""

    def resident() -> float:
        return psutil.Process().memory_info().rss / 1e6

    before, start = resident(), time.perf_counter()
    opened = open_source(source)
    seconds, memory = time.perf_counter() - start, resident() - before
    order = np.random.default_rng(0).permutation(len(opened.entries))[:READ]
    start = time.perf_counter()
    for index in order.tolist():
        opened.read(opened.entries[index], size=SIDE)
    rate = len(order) / (time.perf_counter() - start)
    return {"seconds": seconds, "memory": memory, "rate": rate}


def places(work: Path) -> dict[str, tuple[Path, str]]:
    """By form, where it lies and what the source is called."""
    return {
        "folder": (work / "folder", str(work / "folder")),
        "zip": (work / "pictures.zip", str(work / "pictures.zip")),
        "shards": (work / "shards", f"wds:{work / 'shards'}"),
    }


def rows(work: Path) -> Iterator[dict[str, Any]]:
    """Measure each form, cold and then warm."""
    for kind, (place, source) in places(work).items():
        files = [place] if place.is_file() else [p for p in place.rglob("*") if p.is_file()]
        size = sum(path.stat().st_size for path in files)
        found: dict[str, Any] = {"form": kind, "files": len(files), "bytes": size}
        for when in ("cold", "warm"):
            if when == "cold":
                drop_pages(place)
            done = subprocess.run(
                [sys.executable, "-m", "bench.containers", "--measure", source],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                found["error"] = done.stderr.strip().splitlines()[-1:]
                break
            found[when] = json.loads(done.stdout)
        yield found


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    head = f"| {row['form']} | {row['files']:,} | {row['bytes'] / 1e6:,.0f}"
    if "error" in row:
        return f"{head} | not read | | |"
    cold, warm = row["cold"], row["warm"]
    return (
        f"{head} | {cold['seconds']:.2f} / {warm['seconds']:.2f} | {warm['memory']:.0f} | "
        f"{cold['rate']:,.0f} / {warm['rate']:,.0f} |"
    )


def main() -> int:
    """Render, pack, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--work", type=Path, default=Path("runs/containers"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--table", type=Path, metavar="FILE", help="also write the table")
    parser.add_argument("--measure", metavar="SOURCE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    try:
        if args.measure:
            print(json.dumps(measure(args.measure)))
            return 0
        work = args.work / str(args.pictures)
        folder = work / "folder"
        render(folder, args.pictures)
        said = []
        if not (work / "shards").exists():
            drop_pages(folder)
            cold = args.pictures / pack(folder, work / "shards", args.workers)
            warm = args.pictures / pack(folder, work / "again", args.workers)
            said.append(f"Packing: {cold:,.0f} pictures/s cold, {warm:,.0f} warm.")
        if not (work / "pictures.zip").exists():
            rate = args.pictures / zip_up(folder, work / "pictures.zip")
            said.append(f"Zipping: {rate:,.0f} pictures/s warm.")
        text = "\n".join([*said, "", TABLE, *map(line, rows(work))])
    except LatentbloomError as error:
        print(f"bench.containers: {error}", file=sys.stderr)
        return 2
    print(text)
    if args.table is not None:
        args.table.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
