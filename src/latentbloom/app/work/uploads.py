"""A picture that a user sends: bounded before it is decoded, brought to the model's shape."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from latentbloom.app.limits import Limits
from latentbloom.errors import SourceError

if TYPE_CHECKING:
    from latentbloom.config import DataSettings
    from latentbloom.data.one_picture import FittedPicture

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def check_upload(content: bytes, limits: Limits) -> None:
    """Refuse what is too large or no picture; nothing but the header is read.

    Arguments:
        content: The file.
        limits: Bytes and pixels that it may have.

    Raises:
        SourceError: It is refused; the text says why.
    """
    from PIL import Image

    if len(content) > limits.upload_bytes:
        raise SourceError(
            f"The file has {len(content) / (1 << 20):.1f} MB. The most that is allowed is "
            f"{limits.upload_bytes / (1 << 20):.0f} MB."
        )
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise SourceError(
            f"The picture has far more than {limits.upload_pixels:,} pixels, the most that is "
            "allowed. Make it smaller first."
        ) from None
    except Exception as error:  # decoders raise nearly anything on broken files
        raise SourceError(
            f"The file is no picture that can be read. Allowed: {', '.join(FORMATS)}."
        ) from error
    if width * height > limits.upload_pixels:
        raise SourceError(
            f"The picture has {width:,} × {height:,} pixels. The most that is allowed is "
            f"{limits.upload_pixels:,} in all. Make it smaller first."
        )


def fit_upload(content: bytes, data: DataSettings, limits: Limits) -> FittedPicture:
    """A user's picture as the model needs it, cropped and sized as in training.

    Raises:
        SourceError: It is too large, or cannot be decoded.
    """
    from latentbloom.data.one_picture import read_fitted

    check_upload(content, limits)
    with tempfile.TemporaryDirectory(prefix="latentbloom-") as folder:
        path = Path(folder) / "picture"
        path.write_bytes(content)
        try:
            return read_fitted(path, data)
        except SourceError as error:
            reason = str(error).replace(f"{path} cannot be read as a picture: ", "")
            raise SourceError(f"The picture cannot be read: {reason}") from None
