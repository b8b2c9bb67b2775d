"""Small picture files for tests: each one different, none interesting."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, *, height: int = 20, width: int = 20, channels: int = 3) -> np.ndarray:
    """Coarse noise, uint8 (H, W, C): no two seeds look alike, not even as thumbnails."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 256, (5, 5, channels), dtype=np.uint8)
    rows, columns = np.arange(height) * 5 // height, np.arange(width) * 5 // width
    return cells[rows][:, columns]


def save(path: Path, pixels: np.ndarray) -> Path:
    """Write (H, W, 1 or 3) losslessly, making the folders above."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)
    return path


def tree(root: Path, counts: Mapping[str, int], *, channels: int = 3, size: int = 20) -> Path:
    """Sub-folders with that many pictures each, called 0.png, 1.png and so on."""
    for place, (folder, count) in enumerate(counts.items()):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            pixels = noise(1000 * place + k, height=size, width=size, channels=channels)
            save(root / folder / f"{k}.png", pixels)
    return root


def touch_tree(root: Path, counts: Mapping[str, int]) -> Path:
    """The same with empty files, for what does not read them."""
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            (root / folder / f"{k}.png").touch()
    return root
