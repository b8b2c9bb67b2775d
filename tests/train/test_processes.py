"""Several processes: started by torchrun, they share one plan and come to one model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import latentbloom
from latentbloom.runs.checkpoint import load_checkpoint
from tiny_run import TINY, make_pictures


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    pictures, run = make_pictures(tmp_path / "pictures"), tmp_path / "run"
    options = [
        word
        for name, value in TINY.items()
        if value is not None and name != "train.minutes"
        for word in (f"--{name}", str(value))
    ]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
        *("-m", "latentbloom", "fit", str(pictures), "--out", str(run), *options),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "2 processes." in done.stdout
    assert done.stdout.count("Stage 1: ") == 1  # one of them talks
    for name in ("vae_gan_final", "conditional_diffusion_final"):
        tensors = load_checkpoint(run / name)[0]["model"]
        assert all(torch.isfinite(value).all() for value in tensors.values())
    assert len(latentbloom.load(run).sample({"label": "day"}, n=2)) == 2
