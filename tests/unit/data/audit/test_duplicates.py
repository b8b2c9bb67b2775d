"""Pictures that are in a set more than once."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image

from latentbloom.data.audit import duplicates
from latentbloom.data.audit.duplicates import (
    difference_hashes,
    digest,
    exact_groups,
    near_groups,
    thumbnail,
)
from latentbloom.synthetic.flowers import COLOURS, SPECIES, render_flower


def flower(seed: int) -> np.ndarray:
    species, colour = SPECIES[seed % 6], COLOURS[seed // 6 % 6]
    return render_flower(species, colour, np.random.default_rng(seed), 64)


def recompressed(pixels: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


def resized(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((50, 50), Image.Resampling.LANCZOS))


def brighter(pixels: np.ndarray) -> np.ndarray:
    return np.clip(pixels.astype(np.float32) * 1.05 + 4, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change", [recompressed, resized, brighter])
def test_changed_copies_are_found_and_nothing_else(change) -> None:
    originals = [flower(seed) for seed in range(36)]
    copies = [change(pixels) for pixels in originals[:12]]
    thumbs = np.stack([thumbnail(pixels) for pixels in originals + copies])

    groups = near_groups(thumbs)

    found = {tuple(group) for group in groups}
    expected = {(k, 36 + k) for k in range(12)}
    assert found <= expected
    assert len(found) >= 11


def test_the_same_shape_in_another_colour_is_no_duplicate() -> None:
    colours = [render_flower("rose", c, np.random.default_rng(3), 64) for c in ("red", "white")]

    assert near_groups(np.stack([thumbnail(pixels) for pixels in colours])) == []


def test_chains_are_joined() -> None:
    base = thumbnail(flower(3)) // 2 + 60.0
    slope = np.linspace(-8.0, 8.0, 16)[:, None, None]  # down: the hash reads across
    thumbs = np.stack([(base + k * slope).astype(np.uint8) for k in range(4)])

    groups = near_groups(thumbs)

    assert groups == [[0, 1, 2, 3]]
    assert near_groups(thumbs[[0, 3]]) == []  # too far apart without those between


def test_three_bits_of_sixty_four_may_differ() -> None:
    thumbs = np.stack([thumbnail(flower(seed)) for seed in range(30)])
    hashes = difference_hashes(thumbs)

    assert hashes.dtype == np.uint64
    assert len(set(hashes.tolist())) == 30
    assert difference_hashes(thumbs[:0]).shape == (0,)


def test_the_hash_compares_each_cell_with_its_left_neighbour() -> None:
    falling = np.repeat(np.linspace(250, 10, 18).astype(np.uint8)[None, :, None], 16, axis=0)
    falling = np.repeat(falling, 3, axis=2)

    hashes = difference_hashes(np.stack([falling, falling[:, ::-1], np.full_like(falling, 128)]))

    assert hashes.tolist() == [0, 2**64 - 1, 0]


def test_digests_ignore_how_grey_is_stored_but_not_the_shape() -> None:
    pixels = flower(1)

    assert digest(pixels) == digest(pixels.copy())
    assert digest(pixels) != digest(pixels[::-1].copy())
    assert digest(pixels.reshape(32, 128, 3)) != digest(pixels)
    assert exact_groups([b"a", b"b", b"a", b"c", b"b", b"a"]) == [[0, 2, 5], [1, 4]]


def test_pictures_that_all_look_the_same_take_no_hours() -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(128, 131, (3000, 1, 1, 3), np.uint8)
    thumbs = np.broadcast_to(levels, (3000, 16, 18, 3))
    start = time.process_time()

    groups = near_groups(thumbs)

    assert max(len(group) for group in groups) > 100
    assert time.process_time() - start < 60


def test_the_window_bounds_the_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_WINDOW", 1)
    thumbs = np.stack([np.full((16, 18, 3), 100 + k, np.uint8) for k in range(5)])

    assert near_groups(thumbs) == [[0, 1, 2, 3, 4]]  # each with the next one
