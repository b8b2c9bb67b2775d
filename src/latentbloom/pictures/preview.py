"""A plain grid of pictures, for previews during training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.pictures.images import as_uint8, enlarge, save_picture

if TYPE_CHECKING:
    from latentbloom.pictures.images import Images


def save_preview(
    path: Path | str, images: Images, reconstructions: Images | None = None, *, cols: int = 8
) -> Path:
    """Write a grid without text, in a few milliseconds.

    Arguments:
        path: The file to write, ".png", ".jpg" or ".webp".
        images: Float (N, C, H, W) in [-1, 1], or uint8: samples, or originals.
        reconstructions: If given, each row of originals is followed by a row of these.
        cols: Pictures in a row.

    Returns:
        The path.
    """
    tiles = as_uint8(images)
    batches = [tiles] if reconstructions is None else [tiles, as_uint8(reconstructions)]
    n, height, width = tiles.shape[:3]
    cols = min(cols, n)
    strips = []
    for start in range(0, n, cols):
        for batch in batches:
            strip = np.full((cols, height, width, 3), 255, np.uint8)
            strip[: len(batch[start : start + cols])] = batch[start : start + cols]
            strips.append(np.concatenate(list(strip), axis=1))
    sheet = np.concatenate(strips)[None]
    return save_picture(path, enlarge(sheet, 2 if width <= 64 else 1)[0])
