"""Picture files of every kind to uint8 arrays, upright, on white, one or three channels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np

from latentbloom.data.icc import in_srgb
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import Place, stat
from latentbloom.storage.user_files import open_file, reason
from latentbloom.words import visible

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("avif", "bmp", "gif", "heic", "heif", "hif", "jfif", "jp2", "jpe", "jpeg", "jpg"),
        *("pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"),
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
        brightest: The greatest value in the file, where it has more than 8 bits a channel.
    """

    pixels: np.ndarray
    mode: str
    width: int
    height: int
    brightest: float | None = None


def file_stamp(path: Place | None) -> FileStamp:
    """Size and time of change of a file, or of a part of one, which tell whether it changed."""
    try:
        status = None if path is None else stat(path)
    except OSError:
        status = None
    return (0, 0) if status is None else (status.st_size, status.st_mtime_ns)


def is_picture_name(name: str) -> bool:
    """Whether a file's ending is that of a picture."""
    return Path(name).suffix.lower() in SUFFIXES


def read_picture(path: Place, *, size: int | None = None, white: float | None = None) -> Picture:
    """Decode a file, or a part of one.

    A colour profile is applied, so that colours are those of a viewer; transparency is composited
    on white; a rotation noted in EXIF is carried out; an animation gives its first frame.

    Arguments:
        path: The file.
        size: The side that the caller needs. A JPEG much larger than that is decoded at 1/2,
            1/4 or 1/8, its shorter side staying at least twice `size`: faster by up to ten
            times, and antialiased. None decodes everything.
        white: The value that is white in files of more than 8 bits a channel. None means 65535
            in 16-bit files; in 32-bit and float files, which say no range, the smallest of 1
            (float only), 255 and 65535 that holds the values.

    Raises:
        SourceError: It is no file, or cannot be decoded; the message names it and says why.
    """
    brightest = None
    try:
        with open_file(path) as file, _opened(file) as image:
            mode = image.mode
            width, height = image.size
            if size is not None and image.format == "JPEG":
                image.draft(None, _at_least(width, height, 2 * size))
            upright = _upright(image)
            if is_deep(mode):
                values = np.asarray(upright).astype(np.float64)
                brightest = _brightest(values)
                top = white or _usual_white(mode, brightest)
                grey = np.rint(values * (255.0 / top)).clip(0, 255).astype(np.uint8)
                upright = _grey_image(grey, image.info.get("icc_profile"))
            pixels = np.ascontiguousarray(_to_array(in_srgb(upright)))
    # Broken files make Pillow's decoders raise nearly anything: SyntaxError, struct.error,
    # IndexError, zlib.error and more have been reported. All mean the same to a reader.
    except Exception as error:
        name, why = visible(str(path)), _reason(error)
        raise SourceError(f"{name} cannot be read as a picture: {why}.") from error
    if (pixels.shape[1] > pixels.shape[0]) != (width > height) and width != height:
        width, height = height, width
    return Picture(pixels, mode, width, height, brightest)


def deep_mode(path: Place) -> str:
    """Pillow's mode of a file of more than 8 bits a channel; "" for others and for broken ones."""
    try:
        with open_file(path) as file, _opened(file) as image:
            return image.mode if is_deep(image.mode) else ""
    except Exception:  # as in `read_picture`; the audit names it
        return ""


def is_deep(mode: str) -> bool:
    """Whether a mode of Pillow has more than 8 bits a channel."""
    return mode.startswith("I") or mode == "F"


def _opened(file: IO[bytes]) -> Image.Image:
    """Open a picture file, also of formats that Pillow learns from another package."""
    from PIL import Image, UnidentifiedImageError

    quiet = ("ignore", None, Image.DecompressionBombWarning, None, 0)
    if quiet not in warnings.filters:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        file.seek(0)
        head = file.read(64)
        file.seek(0)
        if not _learn_format(head):
            raise
        try:
            return Image.open(file)
        except UnidentifiedImageError:
            raise OSError("it is a HEIC picture that is broken or cut short") from None


def _learn_format(head: bytes) -> bool:
    """Teach Pillow the format of a file that begins like this; False where there is none to teach.

    Raises:
        ImportError: What reads this format is not installed; the message says what to install.
    """
    if head[4:8] != b"ftyp":
        return False
    brands = {head[8:12], *(head[k : k + 4] for k in range(16, len(head), 4))}
    if not brands.isdisjoint((b"avif", b"avis")):
        raise ImportError(
            "it is an AVIF picture, and this Pillow was built without AVIF. Install a newer one: "
            "pip install -U 'pillow>=11.3'"
        )
    if brands.isdisjoint((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")):
        return False
    try:
        import pillow_heif
    except ImportError:
        raise ImportError(
            "it is a HEIC picture, and what reads those is not installed. Install it: "
            "pip install 'latentbloom[heic]'"
        ) from None
    pillow_heif.register_heif_opener()
    return True


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


def _brightest(values: np.ndarray) -> float:
    """The greatest value of a file of more than 8 bits a channel."""
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are not finite")
    return float(values.max(initial=0.0))


def _usual_white(mode: str, brightest: float) -> float:
    """The value that is white where nothing else is known.

    16 bits mean [0, 65535] whatever one picture holds: stretching each picture by itself would
    change brightness from file to file.
    """
    if mode.startswith("I;16"):
        return 65535.0
    if mode == "F" and brightest <= 1.0:
        return 1.0
    return next((top for top in (255.0, 65535.0) if brightest <= top), brightest)


def _grey_image(grey: np.ndarray, profile: object) -> Image.Image:
    from PIL import Image

    image = Image.fromarray(grey)
    if profile:
        image.info["icc_profile"] = profile
    return image


def _reason(error: Exception) -> str:
    from PIL import Image

    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, Image.DecompressionBombError):
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        return f"it has more than {most:,} pixels; make it smaller"
    if type(error).__name__ == "UnidentifiedImageError":
        return "its content is not a known picture format"
    text = reason(error) if isinstance(error, OSError) else " ".join(str(error).split())
    return visible(text.rstrip(".")) or type(error).__name__
