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
    two, one = tmp_path / "two", tmp_path / "one"
    run_processes(store_in_group, (pictures, "sharded", 4, str(two)), count=2, threads=1)
    store_in_group(pictures, "sharded", 4, str(one), alone=True)
    assert_same(two, one, "last", 16)
    assert_same(two, one, "best", 16)

    # One process goes on from what two have stored, and two from what one has.
    two.rename(tmp_path / "kept")
    one.rename(two)
    (tmp_path / "kept").rename(one)
    store_in_group(pictures, "sharded", 8, str(one), alone=True)
    run_processes(store_in_group, (pictures, "sharded", 8, str(two)), count=2, threads=1)
    assert_same(two, one, "last", 32)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [("diffusion", "sharded"), ("sharded", "diffusion")])
def test_a_denoiser_goes_on_spread_after_it_began_whole_and_the_other_way_round(
    tmp_path: Path, first: str, second: str
) -> None:
    pictures, run = str(make_pictures(tmp_path / "pictures", splits=False)), tmp_path / "run"
    run_processes(store_in_group, (pictures, first, 4, str(run)), count=2, threads=1)
    (run / first).rename(run / second)
    before, _ = load_checkpoint(run / second / "conditional_diffusion_last")
    run_processes(store_in_group, (pictures, second, 8, str(run)), count=2, threads=1)
    after, about = load_checkpoint(run / second / "conditional_diffusion_last")
    assert about["position"]["images"] == 32
    assert after["denoiser"].keys() == before["denoiser"].keys()
    for name, weight in after["denoiser"].items():
        assert bool(torch.isfinite(weight).all()), name
    assert not torch.equal(after["denoiser"]["last.weight"], before["denoiser"]["last.weight"])
    if first == "diffusion":  # its earlier self is kept for whoever goes on without shards
        kept, expected = (found["snapshot_early"] for found in (after, before))
        assert all(torch.equal(kept[name], expected[name]) for name in expected)


def assert_same(two: Path, one: Path, which: str, images: int) -> None:
    """The same tensors, whole, after so many pictures."""
    place = f"sharded/conditional_diffusion_{which}"
    (spread, about), (alone, expected) = load_checkpoint(two / place), load_checkpoint(one / place)
    assert spread.keys() == alone.keys()
    if which == "last":
        assert about["position"]["images"] == expected["position"]["images"] == images
    for part, tensors in alone.items():
        assert spread[part].keys() == tensors.keys()
        for name, value in tensors.items():
            torch.testing.assert_close(
                spread[part][name], value, rtol=5e-3, atol=5e-4, msg=f"{part}.{name}"
            )
