"""Audit, encoding, guidance and scores, shared by two processes: the same as from one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentbloom.fitting.workers import run_processes
from shared_parts import share_work
from tiny_run import make_pictures


def close(one: Any, other: Any) -> None:
    """Equal, numbers to rounding."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            close(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            close(a, b)
    elif isinstance(one, float):
        assert other == pytest.approx(one, rel=2e-3, abs=1e-4)
    else:
        assert one == other


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = make_pictures(tmp_path / "pictures", size=64)
    (pictures / "train" / "day" / "broken.png").write_bytes(b"no picture")
    found = []
    for count in (1, 2):
        monkeypatch.setenv("LATENTBLOOM_CACHE", str(tmp_path / f"user-{count}"))
        if count == 1:
            share_work(str(tmp_path))
        else:
            run_processes(share_work, (str(tmp_path),), count=count, threads=1)
        found.append(json.loads((tmp_path / f"found-{count}.json").read_text()))
    alone, together = found
    assert (alone.pop("processes"), together.pop("processes")) == (1, 2)
    assert alone["audit"] == together["audit"]
    assert [aside["name"] for aside in together["audit"]["broken"]] == ["train/day/broken.png"]
    assert alone["kept"] == together["kept"]
    assert together["kept"].count(None) == 1
    close(alone, together)
    one, two = (np.load(tmp_path / f"latents-{count}.npy") for count in (1, 2))
    np.testing.assert_allclose(two, one, rtol=1e-3, atol=1e-4)
    # Each process wrote shards of its own.
    shards = [len(list((tmp_path / f"latents-{n}").glob("latents-*.npy"))) for n in (1, 2)]
    assert shards[0] == 1
    assert shards[1] >= 2
