"""The result of sampling: pictures with their conditions, seeds and latents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, overload

from latentbloom.storage.disk import make_folder
from latentbloom.storage.files import condition_word, write_atomic, write_json

if TYPE_CHECKING:
    import numpy as np
    import torch


MOST_SHOWN = 100
"""Pictures that a notebook shows of a request."""


@dataclass(frozen=True)
class Moment:
    """One state of a picture's path from noise.

    Attributes:
        t: Time in [0, 1]; 1 is pure noise.
        x_t: Noisy latent (C, h, w), normalised.
        x0_hat: The denoiser's estimate of the latent (C, h, w), normalised.
    """

    t: float
    x_t: torch.Tensor
    x0_hat: torch.Tensor


@dataclass(frozen=True)
class Record:
    """One generated picture.

    Attributes:
        image: uint8 (H, W, C).
        cond: The conditions asked for, in words; factors left out were "any".
        seed: Seed of the request.
        index: Its number in the request; with the seed it determines the noise.
        z: Its normalised latent (C, h, w).
        path: The states of its path, first to last, if they were asked for.
    """

    image: np.ndarray
    cond: dict[str, str]
    seed: int
    index: int
    z: torch.Tensor
    path: tuple[Moment, ...] = field(default=())

    def _repr_png_(self) -> bytes:
        return _png(self.image[None])

    @property
    def name(self) -> str:
        """A file name without ending, such as "smiling-yes_seed0_0003", of at most 116 bytes."""
        asked = [word for pair in self.cond.items() if pair[1] != "any" for word in pair]
        seed = str(self.seed)
        seed = seed if len(seed) <= 20 else condition_word([seed], most=24)
        return f"{condition_word(asked, most=72)}_seed{seed}_{self.index:04d}"


class Records(Sequence[Record]):
    """The pictures of one request, in order.

    Arguments:
        records: The pictures.
        settings: How they were made (sampler, steps, guidance), for `records.json`.
    """

    def __init__(self, records: Sequence[Record], settings: Mapping[str, float | str]) -> None:
        self._records = list(records)
        self.settings = dict(settings)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"Records({len(self)} pictures)"

    def _repr_png_(self) -> bytes | None:
        import numpy as np

        if not self._records:
            return None
        return _png(np.stack([record.image for record in self._records[:MOST_SHOWN]]))

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> Records: ...

    def __getitem__(self, index: int | slice) -> Record | Records:
        if isinstance(index, slice):
            return Records(self._records[index], self.settings)
        return self._records[index]

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    @property
    def images(self) -> torch.Tensor:
        """All pictures as float (n, C, H, W) in [-1, 1]."""
        from latentbloom.data.pixels import to_float

        return to_float(self.pixels)

    @property
    def pixels(self) -> torch.Tensor:
        """All pictures as uint8 (n, C, H, W)."""
        import numpy as np
        import torch

        stacked = np.stack([record.image for record in self._records])
        return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous()

    @property
    def cond(self) -> list[dict[str, str]]:
        """The conditions of each picture."""
        return [record.cond for record in self._records]

    def save(self, folder: Path | str, grid: bool = True) -> list[Path]:
        """Write each picture as PNG, `records.json` beside them, and `grid.png` of all.

        Returns:
            The pictures' paths, in order.
        """
        from PIL import Image

        folder = Path(folder)
        make_folder(folder)
        paths = []
        for record in self._records:
            path = folder / f"{record.name}.png"
            image = record.image[..., 0] if record.image.shape[-1] == 1 else record.image
            write_atomic(path, Image.fromarray(image).save)
            paths.append(path)
        described = [
            {"file": p.name, "cond": r.cond, "seed": r.seed, "index": r.index}
            for p, r in zip(paths, self._records, strict=True)
        ]
        write_json(folder / "records.json", {"settings": self.settings, "pictures": described})
        if grid and self._records:
            from latentbloom.pictures.grids import picture_grid, save_picture

            save_picture(folder / "grid.png", picture_grid(self.images))
        return paths


def _png(pixels: np.ndarray) -> bytes:
    """A grid of pictures (N, H, W, C) as a notebook shows it."""
    from latentbloom.pictures.grids import fitting_scale, picture_grid
    from latentbloom.pictures.images import picture_bytes

    scale = fitting_scale(pixels.shape[1], wanted=96)
    return picture_bytes(picture_grid(pixels, scale=scale, smooth=False), ".png")
