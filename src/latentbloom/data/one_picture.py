"""Any picture brought to the shape that a model was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentbloom.config import DataSettings
from latentbloom.data.pixels import fit_square, is_grey, with_channels
from latentbloom.data.reading import read_picture
from latentbloom.data.sources.published.celeba import crop_aligned, is_aligned
from latentbloom.words import listed


@dataclass(frozen=True)
class FittedPicture:
    """A picture of a model's shape.

    Attributes:
        pixels: uint8 (C, size, size).
        changes: What was done to it, in a few words each; empty where it fitted already.
        warnings: Sentences about what the model may not like.
    """

    pixels: np.ndarray
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """One line about it; "" where nothing is to be said."""
        done = f"As in training: {listed(self.changes)}." if self.changes else ""
        return " ".join([done, *self.warnings]).strip()


def fit_picture(
    pixels: np.ndarray, data: DataSettings, *, full_size: tuple[int, int] | None = None
) -> FittedPicture:
    """Crop a picture and bring it to size and channels as the pictures of a run were.

    Arguments:
        pixels: uint8 (H, W, C), C in {1, 3}, upright.
        data: The run's settings; `size` and `channels` are known once it has begun.
        full_size: Width and height in the file, where only a fraction was decoded.
    """
    assert data.size is not None
    assert data.channels is not None
    changes, warnings = [], []
    height, width = pixels.shape[:2]
    full_size = full_size or (width, height)
    if data.source == "celeba" and is_aligned(width, height):
        pixels = crop_aligned(pixels, data.crop)
        changes.append(f"cropped to the face ({data.crop} of 178 pixels)")
    elif data.source == "celeba" and (height, width) != (data.size, data.size):
        warnings.append(
            "The model knows faces that fill a square from chin to forehead: crop the picture so "
            "if the result disappoints."
        )
    if data.source == "flowers102" and data.background != "keep":
        warnings.append(
            f"The model was trained with a {data.background} background, and this picture keeps "
            "its own: only the data set has the outlines that are needed."
        )
    height, width = pixels.shape[:2]
    if height != width and data.fit == "crop":
        changes.append("cropped to the central square")
        height = width = min(height, width)
    if (height, width) != (data.size, data.size):
        whole = "x".join(map(str, full_size))
        squeezed = "" if height == width else "squeezed into a square and "
        changes.append(f"{squeezed}resized from {whole} to {data.size}x{data.size} pixels")
    square = fit_square(pixels, data.size, fit=data.fit)
    if square.shape[-1] != data.channels:
        changes.append("colour made grey" if data.channels == 1 else "grey made three channels")
    if data.channels == 3 and is_grey(square):
        warnings.append("The picture is grey, and the model knows colour pictures.")
    shaped = np.ascontiguousarray(with_channels(square, data.channels).transpose(2, 0, 1))
    return FittedPicture(shaped, tuple(changes), tuple(warnings))


def read_fitted(path: Path, data: DataSettings) -> FittedPicture:
    """Read a file and `fit_picture` it.

    Raises:
        SourceError: The file cannot be decoded; the message names it and says why.
    """
    # Twice the side that is needed before a crop to 108 of 178 pixels, the closest there is.
    side = None if data.size is None else 2 * data.size
    picture = read_picture(path, size=side)
    return fit_picture(picture.pixels, data, full_size=(picture.width, picture.height))
