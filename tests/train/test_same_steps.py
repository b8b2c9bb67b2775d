"""Any number of processes takes the same steps, to rounding, on the networks that `fit` trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latentbloom.fitting.workers import run_processes
from latentbloom.train.order import Order
from stage_parts import train_in_group, train_steps
from tiny_run import make_pictures

KINDS = {
    5: ("vae_gan", "classic", "diffusion", "sharded", "decoder"),
    # The statistics of stage 3 want more pictures: their covariance is inverted.
    2: ("vae_gan", "classic", "sharded"),
}
"""By size of the batch. Of 5, one process has three rows and the other two; of 2, each has one, and
the perceptual network sees one of them."""


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    pictures = str(make_pictures(tmp_path / "pictures", splits=False))
    found = tmp_path / "found.npz"
    run_processes(train_in_group, (pictures, KINDS, str(found)), count=2, threads=1)
    together = np.load(found)
    for batch, kinds in KINDS.items():
        alone = train_steps(pictures, kinds, batch, alone=True)
        for kind in kinds:
            for number, one in enumerate(alone[kind]):
                two = {name: together[f"{batch}/{kind}/{number}/{name}"] for name in one}
                assert apart(one, two) < 2e-4, f"{kind}, batch of {batch}, step {number}"


def apart(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Distance of two sets of arrays, relative to the first."""
    distance = sum(float(np.square(one[n] - other[n], dtype=np.float64).sum()) for n in one)
    return (
        distance / sum(float(np.square(v, dtype=np.float64).sum()) for v in one.values())
    ) ** 0.5


@pytest.mark.parametrize(("count", "batch", "processes"), [(40, 8, 2), (37, 8, 3), (10, 16, 4)])
def test_every_picture_is_used_once_an_epoch(count: int, batch: int, processes: int) -> None:
    order = Order(count, seed=1)
    seen: list[int] = []
    for start in range(0, 3 * count + batch, batch):
        whole = order.indices(start, batch)
        pieces = [whole[rank::processes] for rank in range(processes)]
        assert sorted(index for piece in pieces for index in piece) == sorted(whole)
        assert max(map(len, pieces)) - min(map(len, pieces)) <= 1
        seen += whole
    for epoch in range(3):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))
