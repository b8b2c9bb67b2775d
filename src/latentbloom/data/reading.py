"""Picture files of every kind to uint8 arrays, upright, on white, one or three channels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from latentbloom.errors import SourceError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("avif", "bmp", "gif", "jfif", "jp2", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm"),
        *("ppm", "tif", "tiff", "webp"),
    )
)
"""Endings, in lower case, of picture files."""

FileStamp: TypeAlias = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds; (0, 0) where there is no file."""

_EXIF_KEYS = frozenset(("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"))


@dataclass(frozen=True)
class Picture:
    """A decoded picture and what its file said about it.

    Arguments:
        pixels: uint8 (H, W, C), C in {1, 3}, upright.
        mode: Pillow's name of the file's own mode, for example "RGB", "P" or "I;16".
        width: Width of the upright picture in the file, in pixels.
        height: Height likewise. Larger than that of `pixels` when a fraction was decoded.
    """

    pixels: np.ndarray
    mode: str
    width: int
    height: int


def file_stamp(path: Path | None) -> FileStamp:
    """Size and time of change of a file, which show whether it was changed."""
    try:
        status = None if path is None else path.stat()
    except OSError:
        status = None
    return (0, 0) if status is None else (status.st_size, status.st_mtime_ns)


def is_picture_name(name: str) -> bool:
    """Whether a file's ending is that of a picture."""
    return Path(name).suffix.lower() in SUFFIXES


def read_picture(path: Path, *, size: int | None = None) -> Picture:
    """Decode a file.

    Transparency is composited on white; 16-bit grey is scaled from its full range; a rotation
    noted in EXIF is carried out; an animation gives its first frame.

    Arguments:
        path: The file.
        size: The side that the caller needs. A JPEG much larger than that is decoded at 1/2,
            1/4 or 1/8, its shorter side staying at least twice `size`: faster by up to ten
            times, and antialiased. None decodes everything.

    Raises:
        SourceError: The file cannot be decoded; the message names it and says why.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            mode = image.mode
            width, height = image.size
            if size is not None and image.format == "JPEG":
                image.draft(None, _at_least(width, height, 2 * size))
            pixels = np.ascontiguousarray(_to_array(_upright(image)))
    # Broken files make Pillow's decoders raise nearly anything: SyntaxError, struct.error,
    # IndexError, zlib.error and more have been reported. All mean the same to a reader.
    except Exception as error:
        raise SourceError(f"{path} cannot be read as a picture: {_reason(error)}.") from error
    if (pixels.shape[1] > pixels.shape[0]) != (width > height) and width != height:
        width, height = height, width
    return Picture(pixels, mode, width, height)


def _at_least(width: int, height: int, short: int) -> tuple[int, int]:
    scale = short / min(width, height)
    return max(1, int(width * scale)), max(1, int(height * scale))


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    image.load()
    # Reading EXIF costs as much as decoding a small JPEG, and most files have none.
    if image.format != "TIFF" and _EXIF_KEYS.isdisjoint(image.info):
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # garbled EXIF raises nearly anything, and the picture itself is fine
        return image


def _to_array(image: Image.Image) -> np.ndarray:
    """Decode to uint8 (H, W, 1 or 3)."""
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_to_bytes(np.asarray(image), image.mode)[..., None]
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return _on_white(image)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))


def _on_white(image: Image.Image) -> np.ndarray:
    grey = image.mode in ("1", "L", "LA", "La")
    rgba = np.asarray(image.convert("RGBA"), np.float32)
    alpha = rgba[..., 3:] / 255.0
    colour = rgba[..., :1] if grey else rgba[..., :3]
    return np.rint(colour * alpha + 255.0 * (1.0 - alpha)).astype(np.uint8)


def _deep_to_bytes(values: np.ndarray, mode: str) -> np.ndarray:
    """16-bit, 32-bit and float grey to bytes, by the range of values of the format.

    16 bits mean [0, 65535] whatever one picture holds: stretching each picture by itself would
    change brightness from file to file. Float and 32-bit files say no range; the smallest of
    [0, 1] (float only), [0, 255], [0, 65535] that holds the values is taken.
    """
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are not finite")
    highest = float(values.max(initial=0.0))
    if mode.startswith("I;16"):
        full = 65535.0
    elif mode == "F" and highest <= 1.0:
        full = 1.0
    else:
        full = next((top for top in (255.0, 65535.0) if highest <= top), highest)
    return np.rint(values * (255.0 / full)).clip(0, 255).astype(np.uint8)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if type(error).__name__ == "UnidentifiedImageError":
        return "its content is not a known picture format"
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
