"""Several real processes train one model: same steps, same end, whatever ends it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import latentbloom
from latentbloom.runs.checkpoint import checkpoint_exists, load_checkpoint
from tiny_run import TINY, make_pictures

TESTS = Path(__file__).parent.parent
PATIENCE = 300.0
"""Seconds after which processes that have not ended count as hanging, and are killed."""

TOY = """
import json, sys, time
from pathlib import Path
import torch
from latentbloom.config import TrainSettings
from latentbloom.device import make_accelerator
from latentbloom.runs.metrics import MetricsLog
from latentbloom.train.budget import Budget
from latentbloom.train.loop import Trainer
from toy_stage import SilentProgress, ToyStage

torch.set_num_threads(1)
accelerator = make_accelerator("fp32")
rank = accelerator.process_index
PACE = TrainSettings(checkpoint_seconds=0.2, preview_seconds=0.3, log_seconds=0.05)

def train(run, budget, stop=lambda stage: False):
    stage = ToyStage(accelerator)
    trainer = Trainer(
        stage, budget, PACE, accelerator, Path(sys.argv[1]) / run,
        MetricsLog(Path(sys.argv[1]) / run / "metrics.jsonl", enabled=rank == 0),
        SilentProgress(),
        should_stop=lambda: stop(stage),
        at_preview=lambda: time.sleep(0.05),
    )
    position = trainer.train()
    return {"done": position.done, "images": position.images, "steps": position.steps}

found = {"processes": accelerator.num_processes}
found["images"] = train("images", Budget(images=400))
found["seconds"] = train("seconds", Budget(seconds=1.0))
last = accelerator.num_processes - 1
for who in (0, last):  # one process alone is asked to stop
    run = f"stopped_by_{who}"
    found[run] = train(run, Budget(images=400), lambda stage: rank == who and stage.batches == 30)
    found[f"{run}, resumed"] = train(run, Budget(images=400))
print(json.dumps(found), flush=True)
"""


def start(command: list[str], count: int) -> list[subprocess.Popen[str]]:
    """Processes that find each other as those of torchrun do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)]),
    }
    return [
        subprocess.Popen(
            command,
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def outputs(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each printed, once all have ended well."""
    deadline = time.monotonic() + PATIENCE
    try:
        ended = [p.communicate(timeout=max(0.1, deadline - time.monotonic())) for p in processes]
    except subprocess.TimeoutExpired:
        for process in processes:
            process.kill()
            process.communicate()
        pytest.fail(f"The processes did not end in {PATIENCE:.0f} s.")
    for process, (_, errors) in zip(processes, ended, strict=True):
        assert process.returncode == 0, errors[-2000:]
    return [printed for printed, _ in ended]


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    found: dict[int, list[dict[str, Any]]] = {}
    for count in (1, 2):
        place = tmp_path / str(count)
        lines = outputs(start([sys.executable, "-c", TOY, str(place)], count))
        found[count] = [json.loads(line.splitlines()[-1]) for line in lines]
    first, second = found[2]
    assert first == second  # in step to the end
    assert first["processes"] == 2
    whole = {"done": True, "images": 400, "steps": 100}
    assert first["images"] == found[1][0]["images"] == whole
    assert first["seconds"]["done"]
    for who in (0, 1):
        stopped = first[f"stopped_by_{who}"]
        assert not stopped["done"]
        assert 30 <= stopped["steps"] <= 31
        assert first[f"stopped_by_{who}, resumed"] == whole

    def weights(count: int, run: str) -> dict[str, torch.Tensor]:
        tensors = load_checkpoint(tmp_path / str(count) / run / "toy_last")[0]
        return {f"{key}.{name}": t for key in ("model", "ema") for name, t in tensors[key].items()}

    alone = weights(1, "images")
    for run in ("images", "stopped_by_0", "stopped_by_1"):
        together = weights(2, run)
        for name, value in alone.items():
            torch.testing.assert_close(together[name], value, rtol=1e-5, atol=1e-6)
        assert all(torch.equal(together[name], weights(2, "images")[name]) for name in together)


def words(settings: Mapping[str, object]) -> list[str]:
    """Settings as the command line takes them."""
    return [w for name, value in settings.items() for w in (f"--{name}", str(value))]


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    pictures, run = make_pictures(tmp_path / "pictures"), tmp_path / "run"
    options = words({k: v for k, v in TINY.items() if v is not None})
    job = TESTS.parent / "examples" / "jobs" / "torchrun.sh"
    command = ["/bin/bash", str(job), str(pictures), str(run), *options]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PATH": path}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=5 * PATIENCE
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "2 processes." in done.stdout
    assert done.stdout.count("Stage 1: ") == 1  # one of them talks
    for name in ("vae_gan_final", "conditional_diffusion_final"):
        tensors = load_checkpoint(run / name)[0]["model"]
        assert all(torch.isfinite(value).all() for value in tensors.values())
    assert len(latentbloom.load(run).sample({"label": "day"}, n=2)) == 2


@pytest.mark.slow
def test_ctrl_c_within_promised_minutes_ends_all_processes(tmp_path: Path) -> None:
    pictures, run = make_pictures(tmp_path / "pictures"), tmp_path / "run"
    counted = ("train.minutes", "train.vae_gan_images", "train.diffusion_images")
    settings = {k: v for k, v in TINY.items() if k not in counted}
    settings |= {"train.checkpoint_seconds": 0.5, "train.preview_seconds": 1.0}
    command = [
        *(sys.executable, "-m", "latentbloom", "fit", str(pictures), "--out", str(run)),
        *("--minutes", "3", *words(settings)),
    ]
    processes = start(command, 2)
    deadline = time.monotonic() + PATIENCE
    while images_of(run / "vae_gan_last") < 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    processes[0].send_signal(signal.SIGINT)  # to one of them alone
    printed, _ = outputs(processes)
    assert "2 processes." in printed
    assert "Stopped and saved" in printed
    assert images_of(run / "vae_gan_last") >= 200
    assert not load_checkpoint(run / "vae_gan_last", [])[1]["position"]["done"]


def images_of(checkpoint: Path) -> int:
    """How far the stage was when it last saved; 0 before that."""
    if not checkpoint_exists(checkpoint):
        return 0
    return load_checkpoint(checkpoint, [])[1]["position"]["images"]
