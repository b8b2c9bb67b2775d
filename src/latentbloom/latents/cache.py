"""Latents of a data set, encoded once: memory-mapped shards and a manifest.

A shard holds the posterior's mean and standard deviation of each picture and of its mirror image,
normalised, in float32. A random batch is read without reading the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from latentbloom.errors import RunFolderError
from latentbloom.foreign.bounds import check_place
from latentbloom.foreign.json_files import read_json

if TYPE_CHECKING:
    import torch

    from latentbloom.conditions import Cond, ConditionSpec

MANIFEST = "manifest.json"
SHARD = 16_384
"""Pictures in a shard, at most. Several processes that encode together make smaller ones."""


class Latents(Protocol):
    """What stage 2 is trained on: a `LatentCache`, or pictures themselves (`PixelLatents`).

    Attributes:
        shape: Shape (C, h, w) of one latent.
        mirrored: Whether there are latents of mirror images.
        fingerprint: Fingerprint of the autoencoder that they belong to.
        labels: Indices of all pictures' labels, LongTensor (N, factors).
    """

    mirrored: bool

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102 - described above
    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def labels(self) -> torch.Tensor: ...  # noqa: D102
    def __len__(self) -> int: ...
    def posterior(
        self, indices: Sequence[int], mirrored: Sequence[int] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation (B, C, h, w) of normalised latents."""
        ...

    def cond(self, spec: ConditionSpec, indices: Sequence[int]) -> Cond:
        """For each factor a LongTensor (B,)."""
        ...


class LatentCache:
    """Latents by index.

    Arguments:
        folder: Where `manifest.json` lies.

    Raises:
        RunFolderError: The manifest or a shard is missing or does not fit.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.manifest: dict[str, Any] = read_json(folder / MANIFEST, folder=folder)
            self.count, self.mirrored, self.shape = _described(self.manifest)
            self.rows: int = _rows(self.manifest)
            check_place(folder / "labels.npy", folder)
            self._labels = np.load(folder / "labels.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFolderError(
                f"{folder} holds no latents ({error}). Run `latentbloom fit` on the run again."
            ) from None
        self._shards = [self._open(i) for i in range(-(-self.count // self.rows))]

    def __len__(self) -> int:
        return self.count

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the autoencoder that made the latents."""
        return self.manifest["autoencoder"]

    def posterior(
        self, indices: Sequence[int], mirrored: Sequence[int] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of normalised latents.

        Arguments:
            indices: Which pictures, (B,).
            mirrored: 1 for the latent of the mirror image; default none.

        Returns:
            Two float32 tensors (B, C, h, w).
        """
        import torch

        flips = [0] * len(indices) if mirrored is None else mirrored
        batch = np.empty((len(indices), 2, *self.shape), np.float32)
        for row, (index, flip) in enumerate(zip(indices, flips, strict=True)):
            shard, place = divmod(index, self.rows)
            batch[row] = self._shards[shard][place, int(flip)]
        both = torch.from_numpy(batch)
        return both[:, 0], both[:, 1]

    def cond(self, spec: ConditionSpec, indices: Sequence[int]) -> Cond:
        """For each factor a LongTensor (B,)."""
        import torch

        rows = torch.from_numpy(np.asarray(self._labels[list(indices)]))
        return {name: rows[:, column].clone() for column, name in enumerate(spec.names)}

    @property
    def labels(self) -> torch.Tensor:
        """Indices of all pictures' labels, LongTensor (N, factors)."""
        import torch

        return torch.from_numpy(np.array(self._labels))

    def _open(self, number: int) -> np.ndarray:
        path = self.folder / f"latents-{number:05d}.npy"
        rows = min(self.rows, self.count - number * self.rows)
        expected = (rows, 2 if self.mirrored else 1, 2, *self.shape)
        try:
            check_place(path, self.folder)
            shard = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise RunFolderError(
                f"{path} is missing or broken ({error}). Delete {self.folder} and run "
                "`latentbloom fit` again: the latents are then encoded again."
            ) from None
        if shard.shape != expected:
            raise RunFolderError(
                f"{path} holds {shard.shape}, but the manifest says {expected}. Delete "
                f"{self.folder} and run `latentbloom fit` again."
            )
        return shard


def _described(manifest: Any) -> tuple[int, bool, tuple[int, ...]]:
    """Number of pictures, mirrored or not, shape of a latent (C, h, w); else a ValueError."""
    count, mirrored, shape = manifest["count"], manifest["mirrored"], tuple(manifest["shape"])
    whole = all(type(number) is int and number > 0 for number in (count, *shape))
    if not whole or len(shape) != 3 or type(mirrored) is not bool:
        raise ValueError(f"its {MANIFEST} gives no count, shape and mirrored")
    if not all(isinstance(manifest[name], str) for name in ("autoencoder", "images")):
        raise ValueError(f"its {MANIFEST} gives no fingerprints")
    return count, mirrored, shape


def _rows(manifest: Any) -> int:
    """Pictures in each shard but the last; else a ValueError."""
    rows = manifest.get("rows", SHARD)
    if type(rows) is not int or not 0 < rows <= SHARD:
        raise ValueError(f"its {MANIFEST} gives no usable number of rows")
    return rows
