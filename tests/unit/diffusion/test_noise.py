"""Picture k depends on (seed, k) alone."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from latentbloom.diffusion import generators_for, noise_for
from latentbloom.diffusion.noise import picture_seed
from latentbloom.errors import ConfigError

SHAPE = (4, 2, 2)


def test_noise_of_a_picture_is_the_same_in_any_company():
    together = noise_for(7, range(10), SHAPE)
    assert together.shape == (10, *SHAPE)
    assert together.dtype == torch.float32
    for k in (0, 3, 9):
        assert torch.equal(noise_for(7, [k], SHAPE)[0], together[k])
    assert torch.equal(noise_for(7, [9, 0, 3], SHAPE), together[[9, 0, 3]])


def test_noise_does_not_touch_the_global_generator():
    before = torch.random.get_rng_state()
    noise_for(7, range(3), SHAPE)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(1)
    first = noise_for(7, [2], SHAPE)
    torch.manual_seed(2)
    assert torch.equal(noise_for(7, [2], SHAPE), first)


def test_seed_index_and_stream_all_change_the_noise():
    base = noise_for(7, [2], SHAPE)
    assert not torch.equal(noise_for(8, [2], SHAPE), base)
    assert not torch.equal(noise_for(7, [3], SHAPE), base)
    assert not torch.equal(noise_for(7, [2], SHAPE, stream="steps"), base)
    assert not torch.equal(noise_for(-7, [2], SHAPE), base)


def test_no_two_pictures_of_a_request_share_a_seed():
    """A plain 32-bit hash would make about 5 pairs among 200,000 equal."""
    for seed in (0, 2**70, -3):
        seeds = {picture_seed(seed, k, "start") for k in range(200_000)}
        assert len(seeds) == 200_000
        assert all(0 <= s < 2**32 for s in (min(seeds), max(seeds)))
    for seed in range(20):  # an even stride would come round after 2^31
        assert picture_seed(seed, 0, "start") != picture_seed(seed, 2**31, "start")


def test_neighbours_seeds_and_pictures_are_uncorrelated_standard_normal():
    noise = torch.cat([noise_for(seed, range(200), (64,)) for seed in range(3)])  # (600, 64)
    assert abs(float(noise.mean())) < 0.02  # about 4 standard errors
    assert abs(float(noise.std()) - 1) < 0.015
    correlation = torch.corrcoef(noise) - torch.eye(600)
    assert float(correlation.abs().max()) < 0.75  # of 180,000 pairs of 64 numbers each
    assert abs(float(correlation.mean())) < 0.002


@pytest.mark.parametrize(
    ("seed", "index", "message"),
    [
        (0, -1, "An index is -1. It must be 0 or more."),
        (0, 2**32, "An index is 4294967296. It must be 4294967295 or less."),
        (0, 1.0, "An index is 1.0. It must be a whole number."),
        (0.5, 0, "seed is 0.5. It must be a whole number."),
        (math.nan, 0, "seed is nan. It must be a whole number."),
    ],
)
def test_a_seed_and_an_index_are_whole_numbers(seed, index, message):
    with pytest.raises(ConfigError) as error:
        noise_for(seed, [index], SHAPE)
    assert str(error.value) == message


def test_integers_of_numpy_are_the_same_numbers():
    seed: Any = np.int64(7)
    index: Any = np.uint8(2)
    assert picture_seed(seed, index, "start") == picture_seed(7, 2, "start")


def test_generators_are_fresh_and_separate():
    one, two = generators_for(0, [5, 5])
    torch.randn(3, generator=one)
    assert torch.equal(
        torch.randn(3, generator=two), torch.randn(3, generator=generators_for(0, [5])[0])
    )


def test_no_pictures_no_noise():
    assert noise_for(0, [], SHAPE).shape == (0, *SHAPE)
