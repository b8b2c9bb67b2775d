"""Pixels: uint8 on disk, float in [-1, 1] for networks; channels, sizes, squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import torch

Fit = Literal["crop", "squeeze"]

SIZES = (32, 64, 96, 128, 256)
"""Sides, in pixels, that a model can be trained at."""

LARGEST_SUGGESTED = 128

LARGEST_ON_CPU = 64


def to_float(pixels: torch.Tensor) -> torch.Tensor:
    """Bytes to the range that networks use: x / 127.5 - 1.

    Arguments:
        pixels: uint8, any shape, values in [0, 255].

    Returns:
        float32 of the same shape, values in [-1, 1].
    """
    return pixels.float().div_(127.5).sub_(1.0)


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """The inverse of `to_float`: round((x + 1) * 127.5), clipped to [0, 255].

    Arguments:
        images: float of any precision and shape, nominally in [-1, 1]; values outside are clipped.

    Returns:
        uint8 of the same shape.
    """
    import torch

    return images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Grey to three equal channels, or colour to luma (ITU-R BT.601), or nothing.

    Arguments:
        pixels: uint8 (H, W, C), C in {1, 3}.
        channels: 1 or 3.

    Returns:
        uint8 (H, W, channels).
    """
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.rint(luma).astype(np.uint8)[..., None]


def is_grey(pixels: np.ndarray) -> bool:
    """Whether a picture (H, W, C) holds no colour, whatever its number of channels."""
    if pixels.shape[-1] == 1:
        return True
    red = pixels[..., 0]
    return bool((red == pixels[..., 1]).all() and (red == pixels[..., 2]).all())


def fit_square(pixels: np.ndarray, size: int, *, fit: Fit = "crop") -> np.ndarray:
    """Make a picture `size` x `size`, antialiased.

    Shrinking uses a Lanczos window, enlarging a bicubic one; a picture that has the size
    already is returned as it is.

    Arguments:
        pixels: uint8 (H, W, C), C in {1, 3}.
        size: Side of the result, in pixels.
        fit: "crop" takes the central square, "squeeze" keeps everything and distorts.

    Returns:
        uint8 (size, size, C).
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    box = (0, 0, width, height)
    if fit == "crop":
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        box = (left, top, left + side, top + side)
    if (box[2] - box[0], box[3] - box[1]) == (size, size):
        return pixels[box[1] : box[3], box[0] : box[2]]
    shrinks = min(box[2] - box[0], box[3] - box[1]) >= size
    window = Image.Resampling.LANCZOS if shrinks else Image.Resampling.BICUBIC
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    resized = picture.resize((size, size), window, box=box, reducing_gap=3.0)
    return np.asarray(resized).reshape(size, size, -1)


def suggest_size(short_side: float, device_type: str = "cpu") -> int:
    """The largest of `SIZES` that most pictures fill and the machine can train.

    Arguments:
        short_side: Median of the pictures' shorter sides, in pixels.
        device_type: "cpu", "cuda", "mps", ...; on a CPU 64 is the most, else 128.

    Returns:
        One of `SIZES`; the smallest one when the pictures are smaller still.
    """
    most = LARGEST_ON_CPU if device_type == "cpu" else LARGEST_SUGGESTED
    limit = min(short_side, most)
    return max((size for size in SIZES if size <= limit), default=SIZES[0])
