"""A denoiser whose weights are spread over processes: what it stores, and who can go on from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from latentbloom.fitting.workers import run_processes
from latentbloom.runs.checkpoint import load_checkpoint
from stage_parts import store_in_group
from tiny_run import make_pictures


@pytest.mark.slow
def test_a_spread_denoiser_is_stored_whole_and_goes_on_with_any_processes(tmp_path: Path) -> None:
    pictures = str(make_pictures(tmp_path / "pictures", splits=False))
    run_processes(store_in_group, (pictures, "sharded", 4, str(tmp_path)), count=2, threads=1)
    store_in_group(pictures, "diffusion", 4, str(tmp_path), alone=True)
    spread, meta = load_checkpoint(tmp_path / "sharded" / "conditional_diffusion_last")
    alone, expected = load_checkpoint(tmp_path / "diffusion" / "conditional_diffusion_last")
    assert spread.keys() == alone.keys()
    assert meta["position"]["images"] == expected["position"]["images"] == 16
    for part, tensors in alone.items():
        assert spread[part].keys() == tensors.keys()
        for name, one in tensors.items():
            torch.testing.assert_close(
                spread[part][name], one, rtol=2e-3, atol=2e-4, msg=f"{part}.{name}"
            )
    best = [
        load_checkpoint(tmp_path / kind / "conditional_diffusion_best")[0]["model"]
        for kind in ("sharded", "diffusion")
    ]
    assert best[0].keys() == best[1].keys()
    for name, one in best[1].items():
        torch.testing.assert_close(best[0][name], one, rtol=2e-3, atol=2e-4, msg=name)

    # One process goes on from what two have stored, and two from what one has.
    (tmp_path / "diffusion").rename(tmp_path / "kept")
    (tmp_path / "sharded").rename(tmp_path / "diffusion")
    (tmp_path / "kept").rename(tmp_path / "sharded")
    store_in_group(pictures, "diffusion", 8, str(tmp_path), alone=True)
    run_processes(store_in_group, (pictures, "sharded", 8, str(tmp_path)), count=2, threads=1)
    ends = [
        load_checkpoint(tmp_path / kind / "conditional_diffusion_last")
        for kind in ("sharded", "diffusion")
    ]
    assert [meta["position"]["images"] for _, meta in ends] == [32, 32]
    for part, tensors in ends[1][0].items():
        for name, one in tensors.items():
            torch.testing.assert_close(
                ends[0][0][part][name], one, rtol=5e-3, atol=5e-4, msg=f"{part}.{name}"
            )
