"""Training speed beside other programs: how the threads of PyTorch should wait.

    python -m bench.busy RUN [--seconds 15] [--repeats 2] [--json FILE]

For each way to wait, both stages of the run train for some seconds in a process of their own, on an
idle machine and beside two busy loops. The ways take turns, so that a machine whose speed drifts
treats them alike. Run it with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bench.pieces import keep, this_command
from latentbloom.config import TrainSettings
from latentbloom.fitting.planning.fair_share import CHECK_SECONDS, FairShare, fair_share_of

WAYS: dict[str, dict[str, str]] = {
    "as OpenMP does by itself": {"GOMP_SPINCOUNT": "300000"},
    "spin 100,000": {"GOMP_SPINCOUNT": "100000"},
    "spin 10,000": {"GOMP_SPINCOUNT": "10000"},
    "spin 1,000": {"GOMP_SPINCOUNT": "1000"},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
    "as `fit` does": {},
}
FAIR_SHARE = "as `fit` does"  # one thread while other programs use the machine
BUSY_LOOPS = 2
STAGES = ("stage 1 images/s", "stage 2 latents/s")


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """So many processes that compute all the time."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def measure(run: Path, seconds: float, *, fair_share: bool) -> dict[str, float]:
    """Images and latents a second of both stages in this process.

    Arguments:
        run: The run folder.
        seconds: Of each stage.
        fair_share: Use one thread while other programs use the machine; the first seconds, in
            which that is found out, do not count.
    """
    from bench.speed import LATE, diffusion_stage, trainer_of, vae_gan_stage
    from latentbloom.runs.folder import RunFolder

    config = RunFolder(run).load_config()
    found = {}
    for name, stage in zip(
        STAGES, (vae_gan_stage(config, run), diffusion_stage(config, run)), strict=True
    ):
        with trainer_of(stage, config) as trainer:
            share = share_of_run(fair_share)
            trainer.step(LATE)
            if share is not None:
                time.sleep(CHECK_SECONDS)
                share.look()
            began, seen = time.perf_counter(), 0
            while time.perf_counter() - began < seconds:
                trainer.step(LATE)
                seen += stage.batch_size
                if share is not None:
                    share.look()
            found[name] = seen / (time.perf_counter() - began)
    return found


def share_of_run(wanted: bool) -> FairShare | None:
    """What `fit` uses in a run with minutes."""
    import torch

    if not wanted:
        return None
    settings = TrainSettings(threads=torch.get_num_threads())
    return fair_share_of(settings, lambda text: None)


def in_process(run: Path, seconds: float, name: str) -> dict[str, float]:
    """`measure` in a process of its own, whose threads wait in the way of that name."""
    way = WAYS[name]
    told = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
    environment = {k: v for k, v in os.environ.items() if k not in told} | way
    command = [
        sys.executable,
        "-m",
        "bench.busy",
        str(run),
        "--one",
        name,
        "--seconds",
        str(seconds),
    ]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])


def compare(run: Path, seconds: float, repeats: int) -> dict[str, dict[str, list[float]]]:
    """Speeds by way and by machine ("idle stage 1 images/s", ...), one for each repeat."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in WAYS}
    for repeat in range(repeats):
        for state, loops in (("idle", 0), ("busy", BUSY_LOOPS)):
            # There and back, so that no way is always the last.
            for name in reversed(WAYS) if repeat % 2 else WAYS:
                with busy_loops(loops):
                    speeds = in_process(run, seconds, name)
                for stage, speed in speeds.items():
                    found[name].setdefault(f"{state} {stage}", []).append(speed)
    return found


def speeds_table(found: dict[str, dict[str, list[float]]]) -> Table:
    """Medians, a row for each way."""
    columns = [f"{state} {stage}" for state in ("idle", "busy") for stage in STAGES]
    table = Table("threads wait", *columns, box=SIMPLE)
    for name, speeds in found.items():
        table.add_row(name, *(f"{statistics.median(speeds[column]):,.1f}" for column in columns))
    return table


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each stage")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", choices=WAYS, help="this way alone, as the environment is")
    args = parser.parse_args()
    if args.one:
        found = measure(args.run, args.seconds, fair_share=args.one == FAIR_SHARE)
        print(json.dumps(found))
        return 0
    began = time.monotonic()
    found = compare(args.run, args.seconds, args.repeats)
    Console().print(speeds_table(found))
    if args.json is not None:
        asked = {"run": str(args.run), "seconds": args.seconds, "repeats": args.repeats}
        seconds = time.monotonic() - began
        keep(
            args.json, asked, {"speeds": found}, command=this_command("bench.busy"), seconds=seconds
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
