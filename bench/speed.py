"""Speed of a run's own models on this machine: training, sampling, and the machine's peak.

    python bench/speed.py RUN [--json FILE]

RUN gives the sizes, the pictures and the latents. Training speed counts whole steps as `fit`
takes them: reading, all losses, all optimisers, moving average; every phase on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentbloom.config import RunConfig
    from latentbloom.train.stage import Stage

LATE = 0.9
"""A progress at which every phase is on."""


def seconds_of_a_call(call: Callable[[], object], *, least: float = 6.0, warm_up: int = 2) -> float:
    """Median seconds of a call over `least` seconds or three calls, whichever is more."""
    for _ in range(warm_up):
        call()
    times: list[float] = []
    while sum(times) < least or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def matrix_peak(dtype_name: str) -> float:
    """GFLOP/s of a product of two square matrices."""
    import torch

    side = 2048
    a, b = (torch.randn(side, side).to(getattr(torch, dtype_name)) for _ in range(2))
    return 2 * side**3 / seconds_of_a_call(lambda: a @ b, least=2.0) / 1e9


def count_flops(call: Callable[[], object]) -> int:
    """Floating-point operations of convolutions and matrix products in a call.

    PyTorch's own counter follows modules with hooks, which a gradient taken inside a loss does
    not allow; its formulas are used without it.
    """
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Counter(TorchDispatchMode):
        total = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if (formula := flop_registry.get(func._overloadpacket)) is not None:
                self.total += formula(*args, **(kwargs or {}), out_val=out)
            return out

    with Counter() as counter:
        call()
    return counter.total


def stage_speed(stage: Stage, config: RunConfig) -> tuple[float, float]:
    """Images a second of a stage with every phase on, and GFLOP of one image.

    The arithmetic is that of convolutions and matrix products, forward and backward.
    """
    from rich.console import Console

    from latentbloom.train.budget import Budget
    from latentbloom.train.logging import MetricsLog, StageProgress
    from latentbloom.train.loop import Trainer
    from latentbloom.train.machine import make_accelerator

    with tempfile.TemporaryDirectory() as folder:
        log = MetricsLog(Path(folder) / "metrics.jsonl", enabled=False)
        trainer = Trainer(
            stage,
            Budget(images=10**9),
            config.train,
            make_accelerator(config),
            Path(folder),
            log,
            StageProgress("", Console(quiet=True), enabled=False),
        )
        trainer.step(LATE)
        work = count_flops(lambda: trainer.step(LATE))
        seconds = seconds_of_a_call(lambda: trainer.step(LATE))
    return stage.batch_size / seconds, work / stage.batch_size / 1e9


def measure_training(run: Path) -> dict[str, float]:
    """Both stages of a run, and the peaks, in one process."""
    from latentbloom.data.latents import LatentCache
    from latentbloom.evaluate.sets import sets_of_run
    from latentbloom.run import RunFolder
    from latentbloom.train.latent_diffusion import LatentDiffusionStage
    from latentbloom.train.machine import make_accelerator

    folder = RunFolder(run)
    config = folder.load_config()
    assert config.denoiser is not None
    train, _ = sets_of_run(folder)
    found = {"peak fp32": matrix_peak("float32"), "peak bf16": matrix_peak("bfloat16")}
    images, work = stage_speed(vae_gan_stage(config, run), config)
    found |= {"stage 1 images/s": images, "stage 1 GFLOP/image": work}
    latents = LatentCache(folder.latents("train"))
    stage = LatentDiffusionStage(
        config.denoiser,
        config.diffusion,
        config.train,
        train.spec,
        latents,
        None,
        make_accelerator(config),
    )
    speed, work = stage_speed(stage, config)
    return found | {"stage 2 latents/s": speed, "stage 2 GFLOP/latent": work}


def vae_gan_stage(config: RunConfig, run: Path) -> Stage:
    """Stage 1 with the run's pictures and settings."""
    from latentbloom.evaluate.sets import sets_of_run
    from latentbloom.run import RunFolder
    from latentbloom.train.machine import make_accelerator
    from latentbloom.train.vae_gan import VaeGanStage

    train, val = sets_of_run(RunFolder(run))
    assert config.autoencoder is not None
    return VaeGanStage(
        config.autoencoder, config.vae_gan, config.train, train, val, make_accelerator(config)
    )


def measure_classic(run: Path) -> dict[str, float]:
    """Stage 1 of the classic preset on the run's pictures, in fp32."""
    from latentbloom.config import AutoencoderConfig
    from latentbloom.presets import build_preset
    from latentbloom.run import RunFolder

    own = RunFolder(run).load_config()
    classic = build_preset("classic")
    shape = classic.autoencoder or AutoencoderConfig()
    assert own.autoencoder is not None
    same = {"size": own.autoencoder.size, "channels": own.autoencoder.channels}
    config = classic.model_copy(
        update={
            "autoencoder": shape.model_copy(update=same),
            "train": classic.train.model_copy(update={"precision": "fp32"}),
        }
    )
    images, work = stage_speed(vae_gan_stage(config, run), config)
    return {"classic stage 1 images/s": images, "classic stage 1 GFLOP/image": work}


def measure_sampling(run: Path) -> dict[str, float]:
    """Pictures a second of the default sampler and of the ancestral one at 1,000 steps."""
    from latentbloom.model import load

    model = load(run)
    n = 64
    default = seconds_of_a_call(lambda: model.sample(n=n, seed=0), warm_up=1)
    start = time.perf_counter()
    model.sample(n=16, seed=0, sampler="ddpm", num_steps=1000)
    ancestral = 16 / (time.perf_counter() - start)
    twenty = seconds_of_a_call(lambda: model.sample(n=n, seed=0, num_steps=20), warm_up=0)
    return {
        "sampling pictures/s": n / default,
        "sampling ddpm 1000 pictures/s": ancestral,
        "64 pictures at 20 steps, s": twenty,
    }


PARTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "training": measure_training,
    "classic": measure_classic,
    "sampling": measure_sampling,
}


def measure(run: Path) -> dict[str, float]:
    """All parts, each in a process of its own: accelerate holds one precision a process."""
    found: dict[str, float] = {}
    for part in PARTS:
        command = [sys.executable, __file__, str(run), "--part", part]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{part}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            continue
        found |= json.loads(done.stdout.splitlines()[-1])
    return found


def rows(found: dict[str, float]) -> list[tuple[str, str]]:
    """What was found, in words."""
    table = [
        (name, f"{value:,.2f}" if value < 100 else f"{value:,.0f}") for name, value in found.items()
    ]
    used = found.get("stage 1 images/s", 0.0) * found.get("stage 1 GFLOP/image", 0.0)
    if used and found.get("peak bf16"):
        table.append(("stage 1, share of the bf16 peak", f"{used / found['peak bf16']:.0%}"))
    if found.get("classic stage 1 images/s"):
        gain = found["stage 1 images/s"] / found["classic stage 1 images/s"]
        table.append(("stage 1 over classic in fp32", f"{gain:.1f} times"))
    if found.get("sampling ddpm 1000 pictures/s"):
        gain = found["sampling pictures/s"] / found["sampling ddpm 1000 pictures/s"]
        table.append(("default sampling over 1,000 ancestral steps", f"{gain:.0f} times"))
    return table


def main() -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Speed of a run's models on this machine.")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--part", choices=PARTS, help="one part, as JSON on the last line")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.part:
        print(json.dumps(PARTS[args.part](args.run)))
        return 0
    found: dict[str, Any] = measure(args.run)
    for name, value in rows(found):
        print(f"{name:<45}{value:>12}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
