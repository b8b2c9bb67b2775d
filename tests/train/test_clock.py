"""A clock that somebody sets, or that the network corrects, neither ends nor prolongs training."""

from __future__ import annotations

import ast
import itertools
import time
from pathlib import Path

import pytest

import latentbloom
from latentbloom.config import TrainSettings
from latentbloom.device import make_accelerator
from latentbloom.report.run_files import read_run
from latentbloom.runs.metrics import MetricsLog, read_metrics
from latentbloom.train.budget import Budget
from latentbloom.train.loop import Trainer
from toy_stage import SilentProgress, ToyStage

HOUR = 3600.0
SECONDS = 1.0
WALL_CLOCK = {
    "report/run_files.py",  # the age of a file, whose time is of that clock
    "data/kept.py",  # part of a file's name
    "runs/lock.py",  # said to people
}


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
def test_promised_seconds_are_kept_whatever_the_wall_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    real, jumps = time.time, itertools.count()
    monkeypatch.setattr(time, "time", lambda: real() + jump * next(jumps))
    monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * time.time()))
    log = MetricsLog(tmp_path / "metrics.jsonl")
    trainer = Trainer(
        ToyStage(),
        Budget(seconds=SECONDS),
        TrainSettings(checkpoint_seconds=0.2, log_seconds=0.1),
        make_accelerator("fp32"),
        tmp_path,
        log,
        SilentProgress(),
    )
    began = time.monotonic()
    position = trainer.train()
    took = time.monotonic() - began
    assert position.done
    assert position.images > 0
    assert position.seconds >= SECONDS
    assert SECONDS <= took < 20 * SECONDS  # a busy machine is no hour
    seconds = [line["seconds"] for line in read_metrics(log.path)]
    assert seconds == sorted(seconds)
    assert seconds[-1] < 20 * SECONDS


def test_nothing_that_decides_asks_the_wall_clock() -> None:
    source = Path(latentbloom.__file__).parent
    found = set()
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            asked = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if asked in ("time.time", "time.time_ns", "datetime.now", "datetime.utcnow"):
                found.add(path.relative_to(source).as_posix())
    assert found == WALL_CLOCK


@pytest.mark.parametrize(("age", "alive"), [(1.0, True), (HOUR, False), (-HOUR, False)])
def test_a_run_is_not_alive_because_its_files_are_of_the_future(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, alive: bool
) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"kind": "train"}\n')
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + age)
    assert read_run(tmp_path).alive == alive
