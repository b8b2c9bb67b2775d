"""Colours by the profile that a file carries, as a viewer shows them: everything becomes sRGB."""

from __future__ import annotations

import io
import logging
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image, ImageCms

logger = logging.getLogger(__name__)

_SAME = 2
"""A profile that moves no colour by more levels than this is sRGB under another name."""

_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_BASES = {
    **dict.fromkeys(("RGB", "RGBA", "RGBa", "RGBX", "P", "PA"), "RGB"),
    **dict.fromkeys(("L", "LA", "La"), "L"),
    "CMYK": "CMYK",
}
"""By Pillow's mode, what the colours are."""


def in_srgb(image: Image.Image) -> Image.Image:
    """A picture in sRGB, by the profile in its file.

    Where there is no profile, or one that does not fit or is broken, nothing is changed, as in
    viewers. Transparency stays.

    Arguments:
        image: A loaded picture of 8 bits a channel.

    Returns:
        The picture itself, or one of mode "RGB", "RGBA", "L" or "LA".
    """
    profile = image.info.get("icc_profile")
    base = _BASES.get(image.mode)
    if not isinstance(profile, bytes) or not profile or base is None:
        return image
    space, transform = _to_srgb(profile)
    if transform is None or (space != base and (space, base) != ("RGB", "L")):
        return image
    if base == "CMYK":
        return _applied(transform, image)
    clear = image.mode in ("RGBA", "RGBa", "PA", "LA", "La") or "transparency" in image.info
    whole = image.convert("RGBA") if clear else image
    colours = whole.convert("RGB") if space == "RGB" else whole.convert("RGB").getchannel("R")
    result = _applied(transform, colours)
    if base == "L":
        result = result.getchannel("G")
    if clear:
        result.putalpha(whole.getchannel("A"))
    return result


def _applied(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    result = ImageCms.applyTransform(image, transform)
    assert result is not None  # None is for changes in place
    result.info = {}
    return result


@lru_cache(maxsize=64)
def _to_srgb(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """The mode of a profile's colours, and what makes them sRGB; None where nothing is to do."""
    try:
        from PIL import ImageCms

        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = _SPACES.get(opened.profile.xcolor_space, "")
        if not space:
            return "", None
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(opened, srgb, space, "RGB")
    except ImportError:
        _say_no_profiles()
        return "", None
    except Exception:  # a broken profile makes LittleCMS raise several things
        return "", None
    return space, None if _changes_nothing(space, transform) else transform


def _changes_nothing(space: str, transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether colours in steps of 17 stay as they are."""
    from PIL import Image

    if space == "CMYK":
        return False
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    if space == "L":
        before = np.repeat(levels[None, :, None], 3, axis=-1)
        probe = Image.fromarray(before[..., 0])
    else:
        before = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(64, 64, 3)
        probe = Image.fromarray(before)
    after = np.asarray(_applied(transform, probe)).astype(int)
    return bool(np.abs(after - before).max() <= _SAME)


@cache
def _say_no_profiles() -> None:
    logger.warning(
        "This Pillow was built without LittleCMS: colour profiles in picture files are ignored."
    )
