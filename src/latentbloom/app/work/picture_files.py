"""Pictures as files to download: PNG with its settings inside, ZIP, GIF."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.pictures.images import data_uri

if TYPE_CHECKING:
    from latentbloom.model.records import Record, Records

KEY = "latentbloom"
"""The text chunk of a PNG that holds its settings as JSON."""


def png(pixels: np.ndarray, about: Mapping[str, Any] | None = None) -> bytes:
    """A picture uint8 (H, W, C) as PNG, with its settings as a text chunk."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if about is not None:
        info.add_itxt(KEY, json.dumps(dict(about), ensure_ascii=False))
    buffer = io.BytesIO()
    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    Image.fromarray(np.ascontiguousarray(flat)).save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def png_uri(pixels: np.ndarray, about: Mapping[str, Any] | None = None) -> str:
    """The same as an address that an <img> shows."""
    return data_uri(png(pixels, about), "png")


def preview_uri(pixels: np.ndarray) -> str:
    """A picture uint8 (H, W, C) as a small JPEG, for what is replaced in a moment."""
    from PIL import Image

    buffer = io.BytesIO()
    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    Image.fromarray(np.ascontiguousarray(flat)).save(buffer, format="JPEG", quality=80)
    return data_uri(buffer.getvalue(), "jpeg")


def settings_of(record: Record, records: Records, run: str) -> dict[str, Any]:
    """All that is needed to generate a picture again."""
    from latentbloom.version import __version__

    return {
        "run": run,
        "cond": record.cond,
        "seed": record.seed,
        "index": record.index,
        **{name: value for name, value in records.settings.items() if name != "seed"},
        "version": __version__,
    }


def tile(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W, C) as one, in rows that are about as many as the columns."""
    count, height, width, channels = pictures.shape
    cols = int(np.ceil(np.sqrt(count)))
    rows = -(-count // cols)
    board = np.full((rows * cols, height, width, channels), 255, np.uint8)
    board[:count] = pictures
    board = board.reshape(rows, cols, height, width, channels).transpose(0, 2, 1, 3, 4)
    return board.reshape(rows * height, cols * width, channels)


def zip_of(records: Records, run: str) -> bytes:
    """All pictures as PNG in one archive, with `records.json`."""
    buffer = io.BytesIO()
    described = []
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for record in records:
            about = settings_of(record, records, run)
            name = f"{record.name}.png"
            if name in archive.namelist():
                name = f"{record.name}_{len(described)}.png"
            archive.writestr(name, png(record.image, about))
            described.append({"file": name, **about})
        archive.writestr("records.json", json.dumps(described, ensure_ascii=False, indent=2))
    return buffer.getvalue()


def gif(frames: np.ndarray, *, side: int = 256, fps: float = 16.0) -> bytes:
    """Frames uint8 (F, H, W, C) as a GIF that loops, each enlarged to at least `side` pixels."""
    from latentbloom.figures.paths.films import encode
    from latentbloom.pictures.images import as_uint8, enlarge

    scale = max(1, side // max(frames.shape[1:3]))
    return encode(enlarge(as_uint8(frames), scale), "gif", fps=fps)


def as_uris(pictures: Sequence[np.ndarray] | np.ndarray) -> list[str]:
    """Pictures uint8 (H, W, C) as addresses of PNG."""
    return [png_uri(one) for one in pictures]
