"""Sheets: the bare pictures of a figure with a description of each, in figures/data/.

A figure is for people. Its sheet is for programs and for the report, which arrange the same
pictures in their own way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.foreign.json_files import read_json
from latentbloom.pictures.images import as_uint8, read_picture, save_picture
from latentbloom.storage.files import finite, write_atomic

if TYPE_CHECKING:
    from latentbloom.pictures.images import Images, Pixels

FOLDER = "figures/data"
BLANK = "blank"
"""Marks a picture that only fills up a row."""


@dataclass(frozen=True)
class Sheet:
    """Pictures of one size in rows and columns.

    Attributes:
        name: The name of the figure.
        pixels: uint8 (N, H, W, 3), row by row.
        rows: A label for each row.
        cols: Pictures in a row.
        pictures: A description of each picture.
        about: A description of all of them.
    """

    name: str
    pixels: Pixels
    rows: tuple[str, ...]
    cols: int
    pictures: tuple[dict[str, Any], ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    def row(self, index: int) -> Pixels:
        """The pictures of one row."""
        return self.pixels[index * self.cols : (index + 1) * self.cols]

    def save(self, run: Path) -> Path:
        """Write the pictures as one PNG and the rest as JSON; returns the JSON's path."""
        n, height, width = self.pixels.shape[:3]
        lines = -(-n // self.cols)
        board = np.zeros((lines * self.cols, height, width, 3), np.uint8)
        board[:n] = self.pixels
        board = board.reshape(lines, self.cols, height, width, 3).transpose(0, 2, 1, 3, 4)
        folder = run / FOLDER
        save_picture(
            folder / f"{self.name}.png", board.reshape(lines * height, self.cols * width, 3)
        )
        known = {
            "count": n,
            "height": height,
            "width": width,
            "cols": self.cols,
            "rows": list(self.rows),
            "pictures": list(self.pictures),
            "about": self.about,
        }
        text = json.dumps(finite(known), ensure_ascii=False, separators=(",", ":"))
        return write_atomic(folder / f"{self.name}.json", text.encode())

    @classmethod
    def load(cls, run: Path, name: str) -> Sheet | None:
        """Read a sheet; None when it is missing or damaged."""
        folder = run / FOLDER
        try:
            known = read_json(folder / f"{name}.json", folder=run)
            board = read_picture(folder / f"{name}.png")
            height, width, cols = known["height"], known["width"], known["cols"]
            tiles = board.reshape(-1, height, cols, width, 3).transpose(0, 2, 1, 3, 4)
            pixels = tiles.reshape(-1, height, width, 3)[: known["count"]]
            return cls(
                name,
                np.ascontiguousarray(pixels),
                tuple(known["rows"]),
                cols,
                tuple(known["pictures"]),
                known["about"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None


def make_sheet(
    name: str,
    images: Images,
    *,
    rows: Sequence[str],
    cols: int,
    pictures: Sequence[Mapping[str, Any]] = (),
    about: Mapping[str, Any] | None = None,
) -> Sheet:
    """A sheet of float or uint8 pictures; the arguments are the sheet's attributes."""
    known = tuple(dict(p) for p in pictures)
    return Sheet(name, as_uint8(images), tuple(rows), cols, known, dict(about or {}))
