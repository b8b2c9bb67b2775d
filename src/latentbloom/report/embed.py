"""Pictures that a page holds itself, each with a text for those who cannot see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.figures.sheets import BLANK
from latentbloom.pictures.images import data_uri, enlarge, picture_bytes, read_picture

if TYPE_CHECKING:
    from latentbloom.figures.sheets import Sheet
    from latentbloom.pictures.images import Pixels

_WIDEST = 1500  # pixels of an embedded figure


@dataclass(frozen=True)
class PagePicture:
    """An <img>.

    Attributes:
        src: data: address.
        width: In pixels.
        height: In pixels.
        alt: Text for readers who cannot see it.
        title: Text on hover.
    """

    src: str
    width: int
    height: int
    alt: str
    title: str = ""


def embed(pixels: Pixels, alt: str, title: str = "", *, quality: int = 88) -> PagePicture:
    """A picture uint8 (H, W, 3) as WebP."""
    content = picture_bytes(pixels, ".webp", quality=quality)
    return PagePicture(data_uri(content, "webp"), pixels.shape[1], pixels.shape[0], alt, title)


def embed_file(path: Path, alt: str) -> PagePicture | None:
    """A figure's file, at most 1500 pixels wide; None when it cannot be read."""
    try:
        pixels = read_picture(path)
    except (OSError, ValueError):
        return None
    if pixels.shape[1] > _WIDEST:
        pixels = enlarge(pixels[None], _WIDEST / pixels.shape[1])[0]
    return embed(pixels, alt, quality=90)


def sheet_rows(sheet: Sheet, kind: str) -> dict[str, Any]:
    """A sheet as rows of page pictures, each described by its row and its seed.

    Arguments:
        sheet: The pictures.
        kind: What they are, for example "Sample".
    """
    rows = []
    for r, label in enumerate(sheet.rows):
        pictures = [
            embed(
                tile,
                f"{kind} {k + 1} of “{label}”",
                _title(sheet.pictures, r * sheet.cols + k),
            )
            for k, tile in enumerate(sheet.row(r))
            if not _known(sheet.pictures, r * sheet.cols + k).get(BLANK)
        ]
        rows.append({"label": label, "pictures": pictures})
    return {"cols": sheet.cols, "rows": rows}


def _known(pictures: Sequence[Mapping[str, Any]], index: int) -> Mapping[str, Any]:
    return pictures[index] if index < len(pictures) else {}


def _title(pictures: Sequence[Mapping[str, Any]], index: int) -> str:
    known = _known(pictures, index)
    said = [f"{k} {known[k]}" for k in ("seed", "index") if k in known]
    return ", ".join(said).replace("index", "picture")


def strip(pixels: Pixels, *, quality: int = 82) -> str:
    """Pictures (N, H, W, 3) side by side as one WebP; returns its data: address."""
    content = picture_bytes(np.concatenate(list(pixels), axis=1), ".webp", quality=quality)
    return data_uri(content, "webp")
