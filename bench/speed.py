"""Speed of a run's own models on this machine: training, sampling, and the machine's peak.

    python -m bench.speed RUN [--json FILE]

RUN gives the sizes, the pictures and the latents. Training speed counts whole steps of `fit`:
reading, all losses, all optimisers, moving average, with every phase on. Parts that FILE has
already are not measured again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.pieces import finished, keep, this_command
from bench.timing import count_flops, matrix_peak, seconds_of_a_call, where_time_goes

if TYPE_CHECKING:
    from latentbloom.config import RunConfig
    from latentbloom.train.loop import Trainer
    from latentbloom.train.stage import Stage

LATE = 0.9
"""A progress at which every phase is on."""


@contextmanager
def trainer_of(stage: Stage, config: RunConfig) -> Iterator[Trainer]:
    """The training loop of a stage, without a log, in a temporary folder."""
    from rich.console import Console

    from latentbloom.device import make_accelerator
    from latentbloom.fitting.stage_progress import StageProgress
    from latentbloom.runs.metrics import MetricsLog
    from latentbloom.train.budget import Budget
    from latentbloom.train.loop import Trainer

    with tempfile.TemporaryDirectory() as folder:
        log = MetricsLog(Path(folder) / "metrics.jsonl", enabled=False)
        yield Trainer(
            stage,
            Budget(images=10**9),
            config.train,
            make_accelerator(config.train.precision),
            Path(folder),
            log,
            StageProgress("", Console(quiet=True), enabled=False),
        )


def stage_speed(stage: Stage, config: RunConfig) -> tuple[float, float]:
    """Images a second of a stage with every phase on, and GFLOP of one image.

    The arithmetic counts convolutions and matrix products, forward and backward.
    """
    with trainer_of(stage, config) as trainer:
        trainer.step(LATE)
        work = count_flops(lambda: trainer.step(LATE))
        seconds = seconds_of_a_call(lambda: trainer.step(LATE))
    return stage.batch_size / seconds, work / stage.batch_size / 1e9


def vae_gan_stage(config: RunConfig, run: Path) -> Stage:
    """Stage 1 with the run's pictures and settings."""
    from latentbloom.device import make_accelerator
    from latentbloom.evaluate.run_sets import sets_of_run
    from latentbloom.runs.folder import RunFolder
    from latentbloom.train.stages.vae_gan import VaeGanStage

    train, val = sets_of_run(RunFolder(run))
    assert config.autoencoder is not None
    return VaeGanStage(
        config.autoencoder,
        config.vae_gan,
        config.train,
        train,
        val,
        make_accelerator(config.train.precision),
    )


def diffusion_stage(config: RunConfig, run: Path) -> Stage:
    """Stage 2 with the run's latents and settings."""
    from latentbloom.device import make_accelerator
    from latentbloom.evaluate.run_sets import sets_of_run
    from latentbloom.latents.cache import LatentCache
    from latentbloom.runs.folder import RunFolder
    from latentbloom.train.stages.latent_diffusion import LatentDiffusionStage

    folder = RunFolder(run)
    assert config.denoiser is not None
    return LatentDiffusionStage(
        config.denoiser,
        config.diffusion,
        config.train,
        sets_of_run(folder)[0].spec,
        LatentCache(folder.latents("train")),
        None,
        make_accelerator(config.train.precision),
    )


def measure_training(run: Path) -> dict[str, Any]:
    """Training speed of both stages of a run, and the machine's peaks."""
    from latentbloom.runs.folder import RunFolder

    config = RunFolder(run).load_config()
    found = {
        "matrix peak fp32, GFLOP/s": matrix_peak("float32"),
        "matrix peak bf16, GFLOP/s": matrix_peak("bfloat16"),
    }
    images, work = stage_speed(vae_gan_stage(config, run), config)
    found |= {"stage 1 images/s": images, "stage 1 GFLOP/image": work}
    speed, work = stage_speed(diffusion_stage(config, run), config)
    return found | {"stage 2 latents/s": speed, "stage 2 GFLOP/latent": work}


def measure_steps(run: Path) -> dict[str, Any]:
    """Where the time of a step of stage 1 goes."""
    from latentbloom.runs.folder import RunFolder

    config = RunFolder(run).load_config()
    with trainer_of(vae_gan_stage(config, run), config) as trainer:
        trainer.step(LATE)
        return {"profile": where_time_goes(lambda: trainer.step(LATE))}


def measure_classic(run: Path) -> dict[str, Any]:
    """Stage 1 of the classic preset on the run's pictures, in fp32."""
    from latentbloom.config import AutoencoderConfig
    from latentbloom.presets import build_preset
    from latentbloom.runs.folder import RunFolder

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


def measure_sampling(run: Path) -> dict[str, Any]:
    """Seconds that 64 pictures take at 20 steps with the run's own sampler."""
    from latentbloom.model.generator import load

    model = load(run)
    twenty = seconds_of_a_call(lambda: model.sample(n=64, seed=0, num_steps=20), warm_up=1)
    return {"64 pictures at 20 steps, s": twenty}


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "training": measure_training,
    "steps": measure_steps,
    "classic": measure_classic,
    "sampling": measure_sampling,
}


def measure(run: Path, out: Path | None) -> dict[str, Any]:
    """All parts, each in a process of its own: accelerate holds one precision a process.

    Arguments:
        run: The run folder.
        out: File for the results after each part; parts that it has are not measured again.

    Returns:
        Results by part. Parts that failed are missing, with a message on stderr.
    """
    from bench.score import identity

    asked = {"of": identity(run)}
    piece: dict[str, Any] = {} if out is None else finished(out, asked) or {}
    parts: dict[str, Any] = piece.get("parts", {})
    spent: float = piece.get("seconds", 0.0)
    for part in PARTS:
        if part in parts:
            continue
        began = time.perf_counter()
        command = [sys.executable, "-m", "bench.speed", str(run), "--part", part]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{part}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            continue
        parts[part] = json.loads(done.stdout.splitlines()[-1])
        spent += time.perf_counter() - began
        if out is not None:
            keep(out, asked, {"parts": parts}, command=this_command("bench.speed"), seconds=spent)
    return parts


def main() -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.speed", description="Speed of a run's models on this machine."
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--part", choices=PARTS, help="one part, as JSON on the last line")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.part:
        print(json.dumps(PARTS[args.part](args.run)))
        return 0
    from bench.tables import profile_rows, speed_rows

    parts = measure(args.run, args.json)
    for row in (*speed_rows(parts), *profile_rows(parts)):
        print(f"{row[0]:<45}{'  '.join(row[1:])}")
    return 0 if parts.keys() == PARTS.keys() else 1


if __name__ == "__main__":
    raise SystemExit(main())
