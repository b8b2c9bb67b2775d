"""A machine made of a clock: every part of a run takes the time it would, and does nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch
from rich.console import Console
from torch import nn

from latentbloom.conditions import ConditionSpec, Factor
from latentbloom.config import AutoencoderConfig, RunConfig
from latentbloom.data.audit.findings import Audit
from latentbloom.data.sources.base import Entry, FileSource
from latentbloom.fitting.opening.open_run import OpenedRun, plan_run
from latentbloom.fitting.opening.stored_plan import StoredPlan
from latentbloom.fitting.planning.planner import Plan
from latentbloom.fitting.planning.speeds import Speeds
from latentbloom.fitting.whole_run import Fitting
from latentbloom.fitting.work import Training, Work
from latentbloom.model.generator import Model
from latentbloom.nn.autoencoders.build import build_autoencoder
from latentbloom.runs.checkpoint import checkpoint_exists, save_checkpoint
from latentbloom.runs.folder import RunFolder
from latentbloom.train.ema import Average
from latentbloom.train.epochs import EpochEnds
from latentbloom.train.stage import ALL, Batch, Phase

# Pictures a second of two slow cores, by width of the autoencoder and of the denoiser: near to what
# was measured, and not the planner's own table.
IMAGES = {48: 58.0, 64: 48.0, 96: 28.0, 128: 19.0, 160: 13.0}
LATENTS = {192: 310.0, 256: 170.0, 384: 85.0, 512: 38.0}
ENCODED = {48: 1500.0, 64: 1300.0, 96: 750.0, 128: 520.0, 160: 350.0}
AUDITED = 1500.0
TINY_SHAPE = AutoencoderConfig(width=16, size=32, channels=1, blocks=1)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        assert seconds >= 0.0
        self.now += seconds


class PowerCutError(Exception):
    """The power went."""


class SlowStage:
    """A stage with one weight to train, whose steps take the time of real ones."""

    num_images: int
    weights = None

    def __init__(
        self, name: str, module: nn.Module, machine: Machine, count: int, speed: float, step: float
    ) -> None:
        self.name = name
        self.folder = "conditional_diffusion" if name == "diffusion" else name
        self.machine = machine
        self.num_images = count
        self.speed = speed
        self.batch_size = max(1, round(speed * step))
        weight = next(module.parameters())
        optimizer = torch.optim.SGD([weight], 1e-9)
        self.phases = [Phase(name, module, optimizer, lambda *_: (weight.square().mean(), {}))]
        self.snapshots: dict[str, nn.Module] = {}
        self.ema = Average(module, 0.05)
        self.milestones: list[tuple[float, str]] = []

    def batch(self, indices: list[int], rows: slice = ALL) -> Batch:
        indices = indices[rows]
        self.machine.work(len(indices) / self.speed)
        if self.machine.clock() >= self.machine.breaks_at:
            raise PowerCutError
        self.machine.seen[self.name] = self.machine.seen.get(self.name, 0) + len(indices)
        return {}

    def validate(self) -> tuple[dict[str, float], float]:
        seconds = self.machine.validation / self.machine.speed
        self.machine.work(seconds)
        self.machine.validated += seconds
        return {}, 1.0

    def meta(self) -> dict[str, Any]:  # asked for with each checkpoint
        self.machine.work(0.2 / self.machine.speed)
        return {}


class Machine(Work):
    """Work that only takes time, on a machine of some speed.

    Arguments:
        folder: The run folder.
        speed: 1 is two slow cores.
        minutes: What will be promised; steps are a 300th of it.
    """

    def __init__(self, folder: RunFolder, speed: float, minutes: float) -> None:
        super().__init__(folder, lambda text: None)
        self.clock = Clock()
        self.speed = speed
        self.step = 60.0 * minutes / 300
        self.breaks_at = float("inf")
        self.validation = 0.3  # seconds of one, at speed 1
        self.validated = 0.0
        self.seen: dict[str, int] = {}
        self.spent: dict[str, float] = {}
        self.doing = "audit"
        self.given_to_finish = 0.0

    def work(self, seconds: float) -> None:
        self.clock.passes(seconds)
        self.spent[self.doing] = self.spent.get(self.doing, 0.0) + seconds

    def measure(self, request, source, entries, size, channels, *, several_processes=False):
        self.work(6.0 + 6.0 / self.speed)
        k = self.speed
        return "a clock", "fp32", Speeds(k * IMAGES[48], k * LATENTS[256], k * ENCODED[48])

    def vae_gan(self, config, previews, accelerator):
        self.doing = "vae_gan"
        speed = self.speed * IMAGES[config.autoencoder.width]
        return self._stage("vae_gan", build_autoencoder(TINY_SHAPE), speed, len(previews.train))

    def diffusion(self, config, autoencoder, previews, accelerator):
        self.doing = "diffusion"
        speed = self.speed * LATENTS[config.denoiser.width]
        return self._stage("diffusion", nn.Linear(2, 2), speed, len(previews.train))

    def decoder(self, config, autoencoder, previews, accelerator, seconds=None):
        self.doing = "decoder"
        needed = config.decoder.generated / (self.speed * 0.15 * LATENTS[config.denoiser.width])
        self.work(needed if seconds is None else min(needed, seconds))
        speed = self.speed * IMAGES[config.autoencoder.width]
        return self._stage("decoder", nn.Linear(2, 2), speed, len(previews.train))

    def _stage(self, name: str, module: nn.Module, speed: float, count: int):
        stage = SlowStage(name, module, self, count, speed, self.step)
        return Training(stage, EpochEnds(stage, self.folder.path))

    def encoded(self, config, previews) -> bool:
        return checkpoint_exists(self.folder.autoencoder)

    def encode(self, config, autoencoder, previews, accelerator) -> None:
        self.doing = "encode"
        views = 2 if config.data.mirror else 1
        pictures = views * (len(previews.train) + len(previews.val))
        self.work(pictures / (self.speed * ENCODED[config.autoencoder.width]))
        meta = {"config": TINY_SHAPE.model_dump(), "fingerprint": ""}
        save_checkpoint(self.folder.autoencoder, {"model": autoencoder.state_dict()}, meta)

    def finish(self, train, val, seconds, console) -> Model:
        self.doing = "finish"
        self.given_to_finish = seconds
        self.work(max(0.9 * seconds, 8.0 / self.speed))  # scores and pictures have a least size
        return cast(Model, SimpleNamespace())


def pictures(count: int) -> FileSource:
    """So many pictures to train on and a tenth to hold out, which nobody will read."""
    entries = [
        Entry(f"{i}.png", (i % 2,), "train" if i < count else "val")
        for i in range(round(1.1 * count))
    ]
    return FileSource(
        "nowhere", ConditionSpec((Factor("label", ("day", "night")),)), tuple(entries)
    )


def simulate(
    place: Path,
    *,
    minutes: float,
    speed: float,
    count: int,
    turns_into: float = 1.0,
    validation: float = 0.3,
    breaks_after: float = float("inf"),
) -> tuple[Machine, RunConfig, Plan]:
    """One call of `fit` on a simulated machine.

    Arguments:
        place: The run folder; a run that began there resumes.
        minutes: What is promised.
        speed: 1 is two slow cores.
        count: Training pictures.
        turns_into: Factor on the speed once the plan is made.
        validation: Seconds of one validation, at speed 1.
        breaks_after: Seconds after which the power goes, if that is while it trains.
    """
    folder = RunFolder(place)
    machine = Machine(folder, speed, minutes)
    machine.breaks_at = machine.clock() + breaks_after
    machine.validation = validation
    source = pictures(count)
    audit = Audit.model_construct(broken=(), channels=3, suggested_size=64)
    console = Console(quiet=True)
    fitting = Fitting(folder, console, machine.clock(), work=machine, clock=machine.clock)
    machine.doing = "audit"
    if folder.started():
        machine.work(5.0)
        config, plan = folder.load_config(), StoredPlan.load(folder.request).plan
    else:
        machine.work(2.0 + count / AUDITED / speed)
        request = RunConfig().updated(
            {
                "train.minutes": minutes,
                "train.precision": "fp32",
                "train.checkpoint_seconds": max(60.0, 6.0 * minutes),  # real files, real time
                "train.preview_seconds": 1e9,
            }
        )
        config, plan = plan_run(
            request, source, audit, machine, console, seconds_so_far=fitting.time.so_far
        )
        place.mkdir()
        config.save(folder.config)
        StoredPlan(request=request, plan=plan).save(folder.request)
    machine.speed *= turns_into
    fitting.run(OpenedRun(config, plan, source, audit))
    return machine, config, plan
