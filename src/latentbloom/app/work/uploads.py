"""A picture that a user sends: bounded before it is decoded, brought to the model's size."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from latentbloom.app.limits import Limits
from latentbloom.errors import SourceError

if TYPE_CHECKING:
    from latentbloom.model.autoencoder import AutoencoderModel

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def read_upload(content: bytes, limits: Limits, *, size: int) -> np.ndarray:
    """Decode a picture as training does: upright, on white, one or three channels.

    Arguments:
        content: The file.
        limits: Bytes and pixels that it may have. Its header says its pixels before any is
            decoded.
        size: Side that is needed; a large JPEG is decoded at a fraction of its size.

    Returns:
        uint8 (H, W, C), C in {1, 3}.

    Raises:
        SourceError: It is too large, or is no picture.
    """
    import tempfile
    from pathlib import Path

    from PIL import Image

    from latentbloom.data.reading import read_picture

    if len(content) > limits.upload_bytes:
        raise SourceError(
            f"The file has {len(content) / (1 << 20):.1f} MB. The most that is allowed is "
            f"{limits.upload_bytes / (1 << 20):.0f} MB."
        )
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except Exception as error:  # decoders raise nearly anything on broken files
        raise SourceError(
            f"The file is no picture that can be read. Allowed: {', '.join(FORMATS)}."
        ) from error
    if width * height > limits.upload_pixels:
        raise SourceError(
            f"The picture has {width:,} × {height:,} pixels. The most that is allowed is "
            f"{limits.upload_pixels:,} in all. Make it smaller first."
        )
    with tempfile.TemporaryDirectory(prefix="latentbloom-") as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        try:
            return read_picture(path, size=size).pixels
        except SourceError as error:
            reason = str(error).replace(f"{path} cannot be read as a picture: ", "")
            raise SourceError(f"The picture cannot be read: {reason}") from None


def fit_upload(content: bytes, model: AutoencoderModel, limits: Limits) -> tuple[np.ndarray, str]:
    """A user's picture as the model needs it, and a sentence on what was done to it."""
    from latentbloom.data.pixels import fit_square, is_grey, with_channels

    pixels = read_upload(content, limits, size=model.size)
    height, width = pixels.shape[:2]
    fit = model.config.data.fit
    square = with_channels(fit_square(pixels, model.size, fit=fit), model.channels)
    done = []
    if height != width:
        done.append("cropped to its centre" if fit == "crop" else "squeezed to a square")
    if (height, width) != (model.size, model.size):
        done.append(f"brought to {model.size} × {model.size} pixels")
    if model.channels == 1 and not is_grey(pixels):
        done.append("turned grey")
    if model.channels == 3 and is_grey(pixels):
        done.append("taken as a grey picture: this model knows colours")
    text = f"{width} × {height} pixels" + (f", {', '.join(done)}" if done else "") + "."
    return square, text
