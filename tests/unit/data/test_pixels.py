"""Bytes, floats, channels, squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latentbloom.data.pixels import (
    fit_square,
    is_grey,
    suggest_size,
    to_float,
    to_uint8,
    with_channels,
)
from picture_files import noise


def test_every_byte_survives_the_round_trip() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)

    images = to_float(pixels)

    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (-1.0, 1.0)
    torch.testing.assert_close(to_uint8(images), pixels, rtol=0, atol=0)
    assert pixels[-1] == 255  # what came in is untouched


def test_floats_outside_are_clipped_and_half_precision_is_fine() -> None:
    images = torch.tensor([-3.0, -1.0, 0.0, 1.0, 7.0], dtype=torch.bfloat16)

    assert to_uint8(images).tolist() == [0, 0, 128, 255, 255]


def test_grey_and_colour() -> None:
    grey = noise(1, channels=1)
    colour = with_channels(grey, 3)

    assert colour.shape == (20, 20, 3)
    assert is_grey(colour)
    assert is_grey(grey)
    np.testing.assert_array_equal(with_channels(colour, 1), grey)
    assert with_channels(grey, 1) is grey


def test_luma_weighs_green_most() -> None:
    primaries = np.eye(3, dtype=np.uint8)[None] * 255

    assert with_channels(primaries, 1).ravel().tolist() == [76, 150, 29]
    assert not is_grey(primaries)


def test_one_coloured_pixel_is_colour() -> None:
    pixels = with_channels(noise(1, channels=1), 3).copy()
    pixels[7, 3, 2] ^= 1

    assert not is_grey(pixels)


def test_crop_takes_the_central_square() -> None:
    pixels = noise(1, height=10, width=16)

    np.testing.assert_array_equal(fit_square(pixels, 10), pixels[:, 3:13])
    upright = pixels.swapaxes(0, 1)
    np.testing.assert_array_equal(fit_square(upright, 10), upright[3:13])


def test_squeeze_keeps_everything() -> None:
    pixels = np.zeros((20, 40, 1), np.uint8)
    pixels[:, :10] = 255  # the first quarter

    square = fit_square(pixels, 20, fit="squeeze")

    assert square.shape == (20, 20, 1)
    assert square[:, :4].min() > 240
    assert square[:, 6:].max() < 15
    assert fit_square(pixels, 20, fit="crop")[:, 1:].max() == 0


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the small picture can show

    small = fit_square(stripes, 16)

    assert abs(int(small.max()) - 128) < 12
    assert abs(int(small.min()) - 128) < 12


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 20, 33])
def test_shapes(channels: int, size: int) -> None:
    square = fit_square(noise(2, height=20, width=31, channels=channels), size)

    assert square.shape == (size, size, channels)
    assert square.dtype == np.uint8


@pytest.mark.parametrize(
    ("short_side", "device_type", "size"),
    [
        (20, "cpu", 32),
        (32, "cpu", 32),
        (63, "cpu", 32),
        (64, "cpu", 64),
        (500, "cpu", 64),
        (95.5, "cuda", 64),
        (100, "cuda", 96),
        (500, "mps", 128),
        (float("inf"), "cpu", 64),
    ],
)
def test_suggested_size(short_side: float, device_type: str, size: int) -> None:
    assert suggest_size(short_side, device_type) == size
