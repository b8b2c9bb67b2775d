"""Grids: every picture where it belongs, pixel for pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from latentbloom.pictures.grids import picture_grid, reconstruction_grid
from latentbloom.pictures.images import as_uint8, read_picture, save_picture
from latentbloom.pictures.preview import save_preview


def flat(*levels: int, size: int = 8) -> np.ndarray:
    """Pictures of one colour each."""
    pixels = np.empty((len(levels), size, size, 3), np.uint8)
    for k, level in enumerate(levels):
        pixels[k] = level
    return pixels


def find(canvas: np.ndarray, level: int, size: int) -> tuple[int, int]:
    """Row and column of the only square of that level."""
    rows, cols = np.nonzero((canvas == level).all(axis=-1))
    square = canvas[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    assert square.shape == (size, size, 3)
    assert (square == level).all()
    return int(rows.min()), int(cols.min())


def test_float_pictures_become_bytes_by_the_affine_map_and_are_clipped() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0, 7.0, float("nan"), -3.0]).reshape(1, 1, 2, 3)
    x = x.expand(1, 3, 2, 3)
    assert as_uint8(x)[0, ..., 0].ravel().tolist() == [0, 128, 255, 255, 0, 0]


def test_grey_pictures_become_three_equal_channels() -> None:
    pixels = as_uint8(torch.zeros(2, 1, 8, 8))
    assert pixels.shape == (2, 8, 8, 3)
    assert (pixels == 128).all()


def test_what_is_no_batch_of_pictures_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
        as_uint8(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="1 or 3 channels"):
        as_uint8(torch.zeros(1, 4, 8, 8))


def test_pictures_run_along_rows_and_keep_their_pixels() -> None:
    canvas = picture_grid(flat(10, 40, 70, 100), cols=2, scale=1, gap=3)
    places = [find(canvas, level, 8) for level in (10, 40, 70, 100)]
    (r0, c0), (r1, c1), (r2, c2), (r3, c3) = places
    assert (r0, c0) == (r1, c1 - 11) == (r2 - 11, c2) == (r3 - 11, c3 - 11)


def test_labels_make_room_and_move_no_pixel_of_the_pictures() -> None:
    bare = picture_grid(flat(10, 40), cols=1, scale=2)
    named = picture_grid(
        flat(10, 40),
        cols=1,
        scale=2,
        row_labels=["daisy", "a long name of a flower"],
        col_labels=["x"],
        captions=["a", "b"],
        title="Title",
        note="A note.",
    )
    assert named.shape[0] > bare.shape[0]
    assert named.shape[1] > bare.shape[1]
    assert find(named, 10, 16)[1] == find(named, 40, 16)[1] > find(bare, 10, 16)[1]
    left = named[:, : find(named, 10, 16)[1] - 4]
    assert (left < 128).any(), "row labels are written at the left"


def test_long_words_stay_within_their_row_and_long_titles_within_the_picture() -> None:
    words = ", ".join(f"attribute {k}: no" for k in range(40))
    canvas = picture_grid(
        flat(100, 200, size=96), cols=1, scale=1, gap=20, row_labels=[words] * 2, title=words
    )
    (top, left), (below, _) = find(canvas, 100, 96), find(canvas, 200, 96)
    ink = np.asarray((canvas[:, : left - 4] < 128).any(axis=(1, 2)))
    assert ink[top : top + 96].any()
    assert not ink[top + 96 : below].any(), "between the rows"
    assert not ink[below + 96 :].any(), "under the last"
    assert (canvas[:, -8:] == 255).all(), "at the right end of the title"
    assert top < 120, "a title takes three lines at most"


def test_captions_of_several_lines_have_room_under_their_row() -> None:
    words = "smiling: yes, male: no, eyeglasses: no, blond hair: no"
    canvas = picture_grid(flat(10, 20, size=96), cols=1, captions=[words] * 2, scale=1)
    first, second = (find(canvas, level, 96)[0] + 96 for level in (10, 20))
    room = second - 96 - first
    assert room > 3 * 12
    assert np.array_equal(canvas[first : first + room], canvas[second : second + room])
    noted = picture_grid(
        flat(10, 20, size=96), cols=1, captions=[words] * 2, note="A note.", scale=1
    )
    assert np.array_equal(noted[: second + room - 4], canvas[: second + room - 4])


def test_small_pictures_are_enlarged_by_default() -> None:
    assert picture_grid(flat(10, size=64)).shape[1] >= 128
    assert picture_grid(flat(10, size=128)).shape[1] < 256


def test_wrong_numbers_of_words_are_named() -> None:
    with pytest.raises(ValueError, match="row_labels has 1 entries; 2 are needed"):
        picture_grid(flat(1, 2), rows=2, row_labels=["one"])
    with pytest.raises(ValueError, match="5 pictures do not fit 2 rows of 2"):
        picture_grid(flat(1, 2, 3, 4, 5), rows=2, cols=2)
    with pytest.raises(ValueError, match="no pictures"):
        picture_grid(flat())


def test_reconstructions_stand_under_their_originals_and_differences_under_both() -> None:
    canvas = reconstruction_grid(flat(100, 200), flat(110, 180), differences=True, scale=1)
    first, rebuilt, apart = (find(canvas, level, 8) for level in (100, 110, 40))
    assert first[1] == rebuilt[1] == apart[1]
    assert first[0] < rebuilt[0] < apart[0]
    assert find(canvas, 80, 8)[1] == find(canvas, 200, 8)[1]


def test_a_saved_picture_comes_back_and_leaves_no_other_file(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    path = save_picture(tmp_path / "a" / "b.png", pixels)
    assert np.array_equal(read_picture(path), pixels)
    assert [p.name for p in path.parent.iterdir()] == ["b.png"]
    with pytest.raises(ValueError, match=r"ends in \.png, \.jpg, \.jpeg, \.webp"):
        save_picture(tmp_path / "b.tiff", pixels)


def test_preview_alternates_originals_and_reconstructions(tmp_path: Path) -> None:
    path = save_preview(
        tmp_path / "p.png", flat(10, 20, 30, size=128), flat(60, 70, 80, size=128), cols=2
    )
    pixels = read_picture(path)[64::128, 64::128, 0]
    assert pixels.tolist() == [[10, 20], [60, 70], [30, 255], [80, 255]]
