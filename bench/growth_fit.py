"""Whole fits on made shards, for `bench.growth --fit`."""

from __future__ import annotations

import json
import os
import resource
import struct
import tarfile
import zlib
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.packing.pack_plan import PER_SHARD, key_of
from latentbloom.data.sources.shards.packed_set import PackedSet
from latentbloom.data.sources.shards.shard_index import INDEX, write_index
from latentbloom.data.sources.shards.tar_listing import Listing, Sample

if TYPE_CHECKING:
    from bench.growth import Watch

SPEC = ConditionSpec((Factor("label", ("day", "night")),))
SIDE, CELLS, BLOCK = 16, 4, tarfile.BLOCKSIZE
HELD_OUT = 51
"""One picture in so many is held out."""

SETTINGS: dict[str, Any] = {
    "data.size": 32,
    "data.mirror": False,
    "data.cache_mb": 8,  # full at 10,000 pictures already
    "autoencoder.width": 16,
    "autoencoder.blocks": 1,
    "denoiser.width": 64,
    "denoiser.depth": 2,
    "vae_gan.perceptual": "none",
    "train.vae_gan_images": 2048,
    "train.diffusion_images": 2048,
    "train.threads": 1,
    "train.processes": 1,
    "train.minutes": None,
    "sampling.tune_guidance": False,
}
"""Tiny networks and budgets: what is measured grows with the set, not with them."""


def make_shards(folder: Path, count: int) -> None:
    """Write a packed set of so many small pictures, unless it is there."""
    if (folder / INDEX).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    PackedSet("made", SPEC, recipe="made").save(folder)
    write_index(folder, _shards(folder, count), "made")


def _shards(folder: Path, count: int) -> Iterator[tuple[str, Listing]]:
    for number, first in enumerate(range(0, count, PER_SHARD)):
        name = f"all-{number:06d}.tar"
        yield name, _write_shard(folder / name, range(first, min(first + PER_SHARD, count)))


def _write_shard(path: Path, rows: range) -> Listing:
    rng = np.random.default_rng(rows.start)
    cells = rng.integers(0, 128, (len(rows), CELLS, CELLS, 3), np.uint8)
    samples, side = [], SIDE // CELLS
    with path.open("wb") as file:
        for row, small in zip(rows, cells, strict=True):
            value = SPEC.factors[0].values[row % 2]
            split = "val" if row % HELD_OUT == 0 else "train"
            name = f"{value}/{row:08d}.png"
            about = {"cond": {"label": value}, "split": split, "source_name": name, "position": row}
            pixels = np.repeat(np.repeat(small, side, 0), side, 1) + np.uint8(64 * (row % 2))
            content = _png(pixels)
            words = {"label": value, "split": split}
            start = file.tell() + BLOCK
            samples.append(Sample(key_of(row), start, len(content), words, name, row))
            for ending, part in (("png", content), ("json", json.dumps(about).encode())):
                member = tarfile.TarInfo(f"{key_of(row)}.{ending}")
                member.size = len(part)
                file.write(member.tobuf(tarfile.USTAR_FORMAT))
                file.write(part.ljust(-(-len(part) // BLOCK) * BLOCK, b"\0"))
        file.write(bytes(2 * BLOCK))
        size = file.tell()
    return Listing(size, samples)


def _png(pixels: np.ndarray) -> bytes:
    """A PNG of uint8 (H, W, 3), written without a library: a million take a minute."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width = pixels.shape[:2]
    lines = np.zeros((height, 1 + 3 * width), np.uint8)
    lines[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = chunk(b"IDAT", zlib.compress(lines.tobytes(), 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + content + chunk(b"IEND", b"")


def measure_fit(count: int, work: Path, watch: Watch) -> dict[str, Any]:
    """Fit on the shards of so many pictures; each part's memory is noted in `watch`."""
    import shutil

    from latentbloom.data.audit import changes, run
    from latentbloom.data.sources import open as opening
    from latentbloom.fitting import finish, stages
    from latentbloom.fitting.opening import open_run
    from latentbloom.fitting.pipeline import fit
    from latentbloom.fitting.work import Work

    def noted(owner: Any, name: str, what: str) -> None:
        inner = getattr(owner, name)

        @wraps(inner)
        def outer(*args: Any, **options: Any) -> Any:
            watch.note(f"before: {what}")
            try:
                return inner(*args, **options)
            finally:
                watch.note(what)

        setattr(owner, name, outer)

    os.environ["LATENTBLOOM_CACHE"] = str(work / "cache")
    folder = work / f"run-{count}"
    shutil.rmtree(folder, ignore_errors=True)
    noted(opening, "open_source", "list of the source")
    noted(run, "audit_source", "audit")
    noted(open_run, "plan_run", "plan")
    noted(changes, "record_pictures", "list in the run folder")
    noted(Work, "encode", "encoding")
    noted(stages.Stages, "train", "stage 2")
    noted(finish, "_score", "scores")
    noted(finish, "_pictures", "figures and report")
    watch.note("imports")
    fit(f"wds:{work / f'shards-{count}'}", out=folder, overrides=SETTINGS)
    watch.note("end")
    rows = {what: row for what, row in watch.rows.items() if not what.startswith("before: list")}
    rows["stage 1"] = rows.pop("before: encoding")
    rows = {what: row for what, row in rows.items() if not what.startswith("before: ")}
    order = ("imports", "list of the source", "audit", "plan", "list in the run folder", "stage 1")
    whole = {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "seconds": 0.0}
    ordered = {what: rows.pop(what) for what in order} | rows
    return {"count": count, "steps": ordered | {"with what is mapped from files": whole}}
