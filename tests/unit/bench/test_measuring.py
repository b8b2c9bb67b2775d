"""Programs that measure: their arithmetic, and that an interrupted one continues."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench import sampling, score, speed
from bench.pieces import read_piece
from bench.timing import count_flops, where_time_goes
from latentbloom.evaluate.speed_map import FILE_NAME, Setting, SpeedMap

CHOSEN: dict[Any, Setting] = {
    "draft": Setting(sampler="unipc", num_steps=4, guidance=1.25),
    "balanced": Setting(sampler="dpm++", num_steps=8, guidance=1.5),
    "best": Setting(sampler="heun", num_steps=20, guidance=2.0),
}


def test_products_are_counted_forward_and_backward() -> None:
    """(5, 7) by (7, 3): 2 * 5 * 7 * 3 operations forward, as many again for each gradient."""
    a, b = torch.rand(5, 7, requires_grad=True), torch.rand(7, 3, requires_grad=True)
    assert count_flops(lambda: (a @ b).sum().backward()) == 3 * 210


def test_a_step_is_told_by_its_operations() -> None:
    a = torch.rand(300, 300)
    told = where_time_goes(lambda: (a @ a, a + a, a + a), calls=3)
    times = {one["name"]: one["times"] for one in told["operations"]}
    assert (told["calls"], times["aten::mm"], times["aten::add"]) == (3, 3, 6)
    spent = [one["seconds"] for one in told["operations"]]
    assert spent == sorted(spent, reverse=True)
    assert 0 < sum(spent) <= told["seconds"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with qualities, whose model and pictures are not looked at."""
    folder = tmp_path / "run"
    folder.mkdir()
    SpeedMap(samples=8, ceiling=None, points=(), chosen=CHOSEN).save(folder / FILE_NAME)
    data = SimpleNamespace(data=SimpleNamespace(fit="crop"))
    model = SimpleNamespace(size=8, channels=1, config=data, sample=lambda **_: None)
    pictures = SimpleNamespace(fingerprint="same")
    monkeypatch.setattr(sampling, "load", lambda _: model)
    monkeypatch.setattr(sampling, "real_sets", lambda *_, **__: (pictures, pictures))
    monkeypatch.setattr(sampling, "prepare_reference", lambda *_: None)
    monkeypatch.setattr(sampling, "sampling_rows", lambda rows: [(name,) for name in rows])
    monkeypatch.setattr(sampling, "sampling_findings", lambda _: ["told"])
    return folder


def test_an_interrupted_sampling_table_goes_on(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, asked = run / "table.json", []

    def measure(_: object, __: object, setting: Setting, n: int) -> dict[str, Any]:
        if setting.sampler == "ddpm" and not asked.count("ddpm"):
            asked.append("ddpm")
            raise KeyboardInterrupt
        asked.append(setting.sampler)
        return {"setting": setting.model_dump(), "samples": n}

    monkeypatch.setattr(sampling, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["x", str(run), "faces", "-n", "6", "--json", str(out)])
    with pytest.raises(KeyboardInterrupt):
        sampling.main()
    assert sampling.main() == 0
    assert asked == ["unipc", "dpm++", "heun", "ddpm", "ddpm"]
    piece = read_piece(out)
    assert piece is not None
    assert [*piece["rows"]] == ["draft", "balanced", "best", "ancestral"]
    ancestral = piece["rows"]["ancestral"]["setting"]
    assert ancestral == {"sampler": "ddpm", "num_steps": 1000, "guidance": 1.5}
    assert sampling.main() == 0
    assert len(asked) == 5
    monkeypatch.setattr(sys, "argv", ["x", str(run), "faces", "-n", "7", "--json", str(out)])
    assert sampling.main() == 0
    assert len(asked) == 9, "another number of samples is another table"


def test_parts_of_the_speed_are_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts, broken = [], {"classic"}

    def program(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        part = command[-1]
        parts.append(part)
        said = json.dumps({f"{part} images/s": 2.0})
        failed = part in broken
        return subprocess.CompletedProcess(command, failed, "" if failed else said, "no memory\n")

    monkeypatch.setattr(speed.subprocess, "run", program)
    monkeypatch.setattr(score, "identity", lambda _: "this run")
    found = speed.measure(tmp_path, tmp_path / "speed.json")
    assert "classic" not in found
    assert "no memory" in capsys.readouterr().err
    broken.clear()
    parts.clear()
    found = speed.measure(tmp_path, tmp_path / "speed.json")
    assert parts == ["classic"]
    assert found.keys() == speed.PARTS.keys()
