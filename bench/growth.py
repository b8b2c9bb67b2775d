"""How memory and time grow with the number of pictures: `python -m bench.growth 1000 10000`.

Each number is measured in a process of its own. Pictures are made in memory, so that neither a disk
nor a decoder is measured: what grows is what the program itself remembers of each picture.

`python -m bench.growth 10000 100000 --fit WORK` measures whole fits of tiny networks on shards that
it makes in the folder WORK, and leaves there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.data.reading import Picture
from latentbloom.data.sources.base import Entry, FileSource

SIDE = 32
FIXED = (
    *("imports", "500 batches of 64 latents", "plan", "stage 1", "stage 2", "scores"),
    *("figures and report", "end", "with what is mapped from files"),
)
"""Steps whose time does not grow with the pictures."""

ENCODED = 10_000
"""Pictures that are really encoded, at most: the time a picture does not depend on their number."""

SPEC = ConditionSpec((Factor("label", ("day", "night")),))


@dataclass(frozen=True)
class MadeSource(FileSource):
    """Pictures that a folder might hold, made from their names."""

    def stamp(self, entry: Entry) -> tuple[int, int]:
        return (0, 0)

    def files(self, entry: Entry) -> tuple[Path, ...]:
        return ()

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        rng = np.random.default_rng(int(Path(entry.name).stem))
        pixels = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
        return Picture(pixels, width=SIDE, height=SIDE, mode="RGB")


class Watch:
    """Greatest memory of this process that is not a mapped file, in MB, and processor seconds."""

    def __init__(self) -> None:
        self.peak = 0.0
        self.began = self.last = time.process_time()
        self.rows: dict[str, dict[str, float]] = {}
        threading.Thread(target=self._look, daemon=True).start()

    @staticmethod
    def memory() -> float:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) / 1024
        return 0.0

    def _look(self) -> None:
        while True:
            self.peak = max(self.peak, self.memory())
            time.sleep(0.01)

    def note(self, what: str) -> None:
        now = time.process_time()
        self.peak = max(self.peak, self.memory())
        self.rows[what] = {"seconds": now - self.last, "peak": self.peak, "now": self.memory()}
        self.peak, self.last = 0.0, time.process_time()


def _name(k: int) -> str:
    return f"train/{SPEC.factors[0].values[k % 2]}/{k:08d}.png"


def measure(count: int, work: Path) -> dict[str, Any]:
    """What a fit does with so many pictures, without the training itself."""
    import torch

    from latentbloom.config import AutoencoderConfig
    from latentbloom.data.audit.picture_list import PictureList
    from latentbloom.data.audit.run import audit_source
    from latentbloom.data.imageset import ImageSet
    from latentbloom.latents.cache import MANIFEST, SHARD, LatentCache
    from latentbloom.latents.encode import encode_raw_latents
    from latentbloom.nn.autoencoders.build import build_autoencoder
    from latentbloom.train.order import Order, tempered_weights

    torch.set_num_threads(1)
    autoencoder = build_autoencoder(AutoencoderConfig(width=16, size=SIDE, blocks=1)).eval()
    watch = Watch()
    watch.note("imports")
    root = Path("/data/pictures")
    entries = tuple(
        Entry(
            name := f"train/{SPEC.factors[0].values[k % 2]}/{k:08d}.png",
            (k % 2,),
            "train",
            root / name,
        )
        for k in range(count)
    )
    source = MadeSource("made", SPEC, entries)
    watch.note("list of the source")
    audit = audit_source(source, size=SIDE)
    watch.note("audit")
    PictureList.of(source, audit).save(work / "pictures.json")
    watch.note("list in the run folder")
    images = ImageSet(source, audit.kept(source.entries, "train"), size=SIDE, channels=3)
    watch.note("set of pictures")
    some = ImageSet(source, images.entries[:ENCODED], size=SIDE, channels=3, cache_bytes=0)
    cpu = torch.device("cpu")
    encode_raw_latents(
        autoencoder, some, work / "encoded", mirror=False, device=cpu, autocast_dtype=None
    )
    watch.note("encoding")
    folder = work / "latents"
    folder.mkdir()
    shape = (4, 4, 4)
    for number, first in enumerate(range(0, count, SHARD)):  # holes in files: nothing is written
        rows = (min(SHARD, count - first), 1, 2, *shape)
        path = folder / f"latents-{number:05d}.npy"
        np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=rows)
    np.save(folder / "labels.npy", images.labels)
    about = {"count": count, "shape": shape, "mirrored": False, "autoencoder": "", "images": ""}
    (folder / MANIFEST).write_text(json.dumps(about))
    cache = LatentCache(folder)
    order = Order(count, 0, tempered_weights(cache.labels, 0.5))
    order.indices(0, 64)
    watch.note("opening latents, first batch")
    for start in range(0, 64 * 500, 64):
        cache.posterior(order.indices(start % max(count - 64, 1), 64))
    watch.note("500 batches of 64 latents")
    return {"count": count, "steps": watch.rows}


def table(found: list[dict[str, Any]]) -> str:
    """A row for each step: peak memory, and processor time, of a picture where it grows."""
    counts = [one["count"] for one in found]
    lines = ["| step | " + " | ".join(f"{n:,}" for n in counts) + " |"]
    lines.append("| --- |" + " --- |" * len(counts))
    for step in found[0]["steps"]:
        cells = []
        for one in found:
            row, n = one["steps"][step], one["count"]
            n = min(n, ENCODED) if step == "encoding" and not one.get("whole") else n
            fixed = step in FIXED
            seconds = row["seconds"]
            pace = f"{seconds:.2f} s" if fixed else f"{1e6 * seconds / n:.0f} µs"
            cells.append(f"{row['peak']:.0f} MB, {pace}")
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--fit", type=Path, metavar="WORK", help="measure whole fits")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.alone and args.fit is not None:
        from bench.growth_fit import measure_fit

        found = measure_fit(args.counts[0], args.fit, Watch()) | {"whole": True}
        print(json.dumps(found))
        return
    if args.alone:
        with tempfile.TemporaryDirectory() as work:
            print(json.dumps(measure(args.counts[0], Path(work))))
        return
    found = []
    for count in args.counts:
        command = [sys.executable, "-m", "bench.growth", str(count), "--alone"]
        if args.fit is not None:
            from bench.growth_fit import make_shards

            make_shards(args.fit / f"shards-{count}", count)
            command += ["--fit", str(args.fit)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        if args.json is not None:
            args.json.write_text(json.dumps(found, indent=2))
    print(table(found))


if __name__ == "__main__":
    main()
