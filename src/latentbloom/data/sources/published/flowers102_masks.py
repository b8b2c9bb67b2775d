"""Oxford's segmentations of the 102 flowers: a flat background, and where the flower is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from latentbloom.data.reading import FileStamp, Picture, file_stamp, read_picture
from latentbloom.data.sources.base import Entry, FileSource
from latentbloom.errors import SourceError
from latentbloom.storage.mounts import FilePart

_BLUE = 100
"""How far blue must stand above red and green, in levels, for the blue of a segmentation."""
_CHANGED = 48
"""How far a pixel must be from the photograph, in levels, to be painted and not just blue."""


@dataclass(frozen=True)
class FlowersInFront(FileSource):
    """Pictures whose background may be painted over.

    Arguments:
        masks: The segmentation by name of the picture, as far as there are any.
        shade: What the background becomes, 0 (black) to 255 (white); None keeps it.
    """

    masks: Mapping[str, Path] = field(default_factory=dict)
    shade: int | None = None

    @property
    def treatment(self) -> str:
        """What stands behind the flowers."""
        return "" if self.shade is None else f"background {self.shade}"

    def inspect(self, entry: Entry, *, size: int | None = None) -> Picture:
        """Decode and paint; see `Source.inspect`."""
        picture = super().inspect(entry, size=size)
        if self.shade is None:
            return picture
        painted = read_picture(self.masks[entry.name], size=size).pixels
        behind = background_of(picture.pixels, painted)
        pixels = np.where(behind[..., None], np.uint8(self.shade), picture.pixels)
        return Picture(pixels, picture.mode, picture.width, picture.height)

    def stamp(self, entry: Entry) -> FileStamp:
        """The photograph's, with the segmentation's where the pixels depend on it."""
        photograph = super().stamp(entry)
        if self.shade is None:
            return photograph
        mask = file_stamp(self.masks[entry.name])
        return photograph[0] + mask[0], max(photograph[1], mask[1])

    def files(self, entry: Entry) -> tuple[Path | FilePart, ...]:
        """The photograph, and its segmentation where the pixels depend on it."""
        masks = () if self.shade is None else (self.masks[entry.name],)
        return (*super().files(entry), *masks)

    @property
    def outlined(self) -> int:
        """How many segmentations there are."""
        return len(self.masks)

    def subject(self, entry: Entry, *, size: int | None = None) -> np.ndarray | None:
        """Where the flower is; see `colour_source.KnowsSubject`."""
        if entry.name not in self.masks:
            return None
        photograph = super().inspect(entry, size=size).pixels
        try:
            painted = read_picture(self.masks[entry.name], size=size).pixels
        except SourceError:
            return None
        return ~background_of(photograph, painted)


def background_of(photograph: np.ndarray, painted: np.ndarray) -> np.ndarray:
    """Where a segmentation was painted blue.

    Its JPEG blurs the blue, and flowers are blue, too: background is what is clearly blue there
    and clearly different in the photograph.

    Arguments:
        photograph: uint8 (H, W, 1 or 3).
        painted: uint8 (h, w, 3), the same with a blue background; of another size, it is resized.

    Returns:
        bool (H, W).
    """
    height, width = photograph.shape[:2]
    if painted.shape[-1] == 1:
        return np.zeros((height, width), bool)
    if painted.shape[:2] != (height, width):
        from PIL import Image

        near = Image.Resampling.NEAREST
        painted = np.asarray(Image.fromarray(painted).resize((width, height), near))
    shown = painted.astype(np.int16)
    blue = shown[..., 2] - shown[..., :2].max(axis=-1) > _BLUE
    return blue & (np.abs(shown - photograph).max(axis=-1) > _CHANGED)
