"""Grids of pictures with labels, which leave every pixel of the pictures as it is."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.pictures.fonts import drawable, font, one_line, shortened_label
from latentbloom.pictures.images import as_uint8, enlarge, save_picture
from latentbloom.pictures.palette import INK, MUTED, PAPER
from latentbloom.pictures.text_layout import extent, first_lines, fitted, line_height, wrapped

if TYPE_CHECKING:
    from latentbloom.pictures.images import Images, Pixels

__all__ = ["difference", "fitting_scale", "picture_grid", "reconstruction_grid", "save_picture"]

_LABEL = 15
_SMALL = 12
_TITLE = 18
_TITLE_LINES = 3
_WRAP = 16  # characters of a row label before it breaks


def fitting_scale(size: int, *, wanted: int = 128) -> int:
    """The whole factor that brings a small picture near `wanted` pixels."""
    return max(1, round(wanted / size))


def picture_grid(
    images: Images,
    *,
    rows: int | None = None,
    cols: int | None = None,
    row_labels: Sequence[str] | None = None,
    col_labels: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
    title: str = "",
    note: str = "",
    scale: float | None = None,
    smooth: bool = True,
    gap: int = 4,
) -> Pixels:
    """Arrange pictures row by row, with labels beside and above them.

    Arguments:
        images: Float (N, C, H, W) in [-1, 1], or uint8 (N, H, W, C).
        rows: Number of rows; worked out from `cols` when left out.
        cols: Number of columns; worked out from `rows`, else as square as possible.
        row_labels: A label for each row, on its left; cut where it is higher than the row.
        col_labels: A label for each column, above it.
        captions: A caption for each picture, under it.
        title: A heading of at most three lines.
        note: A text under the grid.
        scale: Enlargement; by default small pictures become about 128 pixels wide.
        smooth: Lanczos if true, nearest neighbour (visible pixels) if false.
        gap: Pixels between pictures.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: There are no pictures, or a list of labels has the wrong length.
    """
    from PIL import Image, ImageDraw

    pixels = as_uint8(images)
    rows, cols = _shape(len(pixels), rows, cols)
    _check("row_labels", row_labels, rows)
    _check("col_labels", col_labels, cols)
    _check("captions", captions, len(pixels))
    scale = fitting_scale(max(pixels.shape[1:3])) if scale is None else scale
    tiles = enlarge(pixels, scale, smooth=smooth)
    tile_h, tile_w = tiles.shape[1:3]

    lines = max(1, tile_h // line_height(_LABEL))
    words = [_row_label(drawable(w), lines) for w in row_labels or ()]
    label_w = max((extent(w, _LABEL)[0] for w in words), default=0)
    margin = 16
    left = margin + (label_w + 12 if words else 0)
    heads = [fitted(drawable(w), tile_w + gap - 2, _LABEL) for w in col_labels or ()]
    said = [fitted(drawable(w), tile_w, _SMALL) for w in captions or [""] * len(tiles)]
    # Each row has room for the longest of its captions.
    tall = [extent(text, size)[1] + 4 if text else 0 for text, size in said]
    below = [max(tall[r * cols : (r + 1) * cols], default=0) for r in range(rows)]
    tops = np.cumsum([0, *(tile_h + gap + b for b in below)])
    step_x = tile_w + gap
    inner_w = cols * step_x - gap
    width = left + inner_w + margin
    heading = first_lines(
        wrapped(drawable(title), _TITLE, width - 2 * margin, bold=True, anywhere=True),
        _TITLE_LINES,
    )
    footing = wrapped(drawable(note), _SMALL, width - 2 * margin, anywhere=True)
    title_h = extent(heading, _TITLE)[1] + 14 if title else 0
    head_h = max((extent(h, size)[1] for h, size in heads), default=0) + (8 if heads else 0)
    note_h = extent(footing, _SMALL)[1] + 12 if note else 0
    top = margin + title_h + head_h
    height = top + int(tops[-1]) - gap + note_h + margin

    canvas = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(canvas)
    if title:
        pen.multiline_text(
            (margin, margin - 2), heading, fill=INK, font=font(_TITLE, bold=True, text=heading)
        )
    for c, (head, size) in enumerate(heads):
        at = (left + c * step_x + tile_w / 2, top - 6)
        pen.text(at, head, fill=INK, font=font(size, text=head), anchor="md", align="center")
    for r, word in enumerate(words):
        at = (left - 12, top + tops[r] + tile_h / 2)
        pen.text(at, word, fill=INK, font=font(_LABEL, text=word), anchor="rm", align="right")
    for k, tile in enumerate(tiles):
        x, y = left + (k % cols) * step_x, top + int(tops[k // cols])
        canvas.paste(Image.fromarray(tile), (x, y))
        word, size = said[k]
        if word:
            at = (x + tile_w / 2, y + tile_h + 3)
            pen.text(at, word, fill=MUTED, font=font(size, text=word), anchor="ma", align="center")
    if note:
        at = (margin, height - margin - note_h + 14)
        pen.multiline_text(at, footing, fill=MUTED, font=font(_SMALL, text=footing))
    return np.asarray(canvas)


def _row_label(text: str, lines: int) -> str:
    """A label broken into at most so many short lines."""
    text = shortened_label(text)
    broken = textwrap.fill(text, _WRAP, break_long_words=False)
    if broken.count("\n") >= lines > 1:
        broken = textwrap.fill(one_line(text, _WRAP * (lines - 1)), _WRAP, break_long_words=False)
    return first_lines(broken, lines)


def reconstruction_grid(
    originals: Images,
    reconstructions: Images,
    *,
    captions: Sequence[str] | None = None,
    differences: bool = False,
    title: str = "",
    note: str = "",
    scale: float | None = None,
) -> Pixels:
    """Originals above their reconstructions, optionally with four times their difference.

    Arguments:
        originals: Float (N, C, H, W) in [-1, 1], or uint8 (N, H, W, C).
        reconstructions: The same shape.
        captions: A caption for each pair, under it, for example its PSNR.
        differences: Add a row of 4 |reconstruction - original| on black.
        title: A heading of at most three lines.
        note: A text under the grid.
        scale: Enlargement; by default small pictures become about 128 pixels wide.

    Returns:
        uint8 (H, W, 3).
    """
    first, second = as_uint8(originals), as_uint8(reconstructions)
    rows, labels = [first, second], ["original", "reconstruction"]
    if differences:
        rows.append(difference(first, second))
        labels.append("difference ×4")
    blank = [""] * len(first)
    words = blank * (len(rows) - 1) + list(captions) if captions is not None else None
    return picture_grid(
        np.concatenate(rows),
        rows=len(rows),
        row_labels=labels,
        captions=words,
        title=title,
        note=note,
        scale=scale,
    )


def difference(first: Pixels, second: Pixels, *, gain: int = 4) -> Pixels:
    """Absolute difference, times `gain`, of two batches of bytes, clipped to white."""
    apart = np.abs(first.astype(np.int16) - second.astype(np.int16)) * gain
    return apart.clip(0, 255).astype(np.uint8)


def _shape(n: int, rows: int | None, cols: int | None) -> tuple[int, int]:
    if n == 0:
        raise ValueError("There are no pictures to lay out.")
    if rows is None and cols is None:
        cols = math.ceil(math.sqrt(n))
    if cols is None:
        cols = math.ceil(n / (rows or 1))
    rows = math.ceil(n / cols) if rows is None else rows
    if rows * cols < n:
        raise ValueError(f"{n} pictures do not fit {rows} rows of {cols}.")
    return rows, cols


def _check(name: str, words: Sequence[str] | None, n: int) -> None:
    if words is not None and len(words) != n:
        raise ValueError(f"{name} has {len(words)} entries; {n} are needed.")
