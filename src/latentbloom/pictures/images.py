"""Pictures as arrays and files: convert, enlarge, write, embed."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from latentbloom.storage.files import write_atomic
from latentbloom.storage.user_files import open_file

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Images = torch.Tensor | np.ndarray


def as_uint8(images: Images) -> Pixels:
    """Convert pictures to 8-bit RGB.

    Arguments:
        images: Float (N, C, H, W) in [-1, 1], or uint8 (N, C, H, W) or (N, H, W, C), with C of
            1 or 3. Values outside the range are clipped, and NaN becomes black.

    Returns:
        uint8 (N, H, W, 3).

    Raises:
        ValueError: The array is not a batch of pictures.
    """
    array = images if isinstance(images, np.ndarray) else images.detach().float().cpu().numpy()
    if not isinstance(images, np.ndarray) and not images.is_floating_point():
        array = array.astype(np.uint8)
    if array.ndim != 4:
        raise ValueError(f"Pictures come as (N, C, H, W) or (N, H, W, C), not {array.shape}.")
    channels_first = array.dtype != np.uint8 or array.shape[-1] not in (1, 3)
    if array.dtype != np.uint8:
        known = np.nan_to_num(array.astype(np.float32), nan=-1.0, posinf=1.0, neginf=-1.0)
        array = np.rint((known.clip(-1.0, 1.0) + 1.0) * 127.5).astype(np.uint8)
    if channels_first:
        array = array.transpose(0, 2, 3, 1)
    if array.shape[-1] == 1:
        array = np.repeat(array, 3, axis=-1)
    if array.shape[-1] != 3:
        raise ValueError(f"Pictures have 1 or 3 channels; these have shape {images.shape}.")
    return np.ascontiguousarray(array)


def enlarge(pixels: Pixels, scale: float, *, smooth: bool = True) -> Pixels:
    """Resize a batch (N, H, W, 3) by a factor: Lanczos, or nearest to show single pixels."""
    from PIL import Image

    if scale == 1 or not len(pixels):
        return pixels
    height, width = pixels.shape[1:3]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    return np.stack([np.asarray(Image.fromarray(p).resize(size, method)) for p in pixels])


def save_picture(path: Path | str, array: Pixels, *, quality: int = 90) -> Path:
    """Write uint8 (H, W, 3) as PNG, JPEG or WebP, by the suffix of the file.

    The file is written under another name and renamed, because a report or a viewer may read it
    at the same moment.
    """
    path = Path(path)
    return write_atomic(path, picture_bytes(array, path.suffix, quality=quality))


def picture_bytes(array: Pixels, suffix: str, *, quality: int = 90) -> bytes:
    """Encode uint8 (H, W, 3) as ".png", ".jpg" or ".webp"."""
    from PIL import Image

    kinds = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
    if suffix.lower() not in kinds:
        raise ValueError(f"A picture ends in {', '.join(kinds)}; this one in '{suffix}'.")
    buffer = io.BytesIO()
    kind = kinds[suffix.lower()]
    Image.fromarray(array).save(buffer, format=kind, quality=quality)  # PNG has no quality
    return buffer.getvalue()


def read_picture(path: Path) -> Pixels:
    """Read a picture file as uint8 (H, W, 3)."""
    from PIL import Image

    with open_file(path) as file, Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"))


def data_uri(content: bytes, kind: Literal["png", "jpeg", "webp"]) -> str:
    """The bytes of a picture as a data: address for a web page."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
