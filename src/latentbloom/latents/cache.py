"""Latents of a data set, encoded once: memory-mapped shards and a manifest.

A shard holds the posterior's mean and standard deviation of each picture and of its mirror image,
normalised, in float32. A random batch is read without reading the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from latentbloom.errors import RunFolderError
from latentbloom.files import write_atomic
from latentbloom.foreign.bounds import check_place
from latentbloom.foreign.json_files import read_json

if TYPE_CHECKING:
    import torch

    from latentbloom.conditions import Cond, ConditionSpec
    from latentbloom.data.imageset import ImageSet
    from latentbloom.nn.autoencoders.base import Autoencoder

MANIFEST = "manifest.json"
SHARD = 16_384
_BATCH = 64


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
            check_place(folder / "labels.npy", folder)
            self._labels = np.load(folder / "labels.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFolderError(
                f"{folder} holds no latents ({error}). Run `latentbloom fit` on the run again."
            ) from None
        self._shards = [self._open(i) for i in range(-(-self.count // SHARD))]

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
            shard, place = divmod(index, SHARD)
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
        rows = min(SHARD, self.count - number * SHARD)
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


def encode_raw_latents(
    autoencoder: Autoencoder,
    images: ImageSet,
    folder: Path,
    *,
    mirror: bool,
    device: torch.device,
    autocast_dtype: torch.dtype | None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Encode every picture once, with its mirror image, as raw latents.

    The standard deviation is that of latents sampled from the posteriors, as in training: it
    includes the spread of the means and the noise of the posteriors.

    Returns:
        Mean and standard deviation of all raw latents by channel, float64 (C,).
    """
    import torch

    from latentbloom.data.pixels import to_float

    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    shape = autoencoder.latent_shape
    views = 2 if mirror else 1
    total, squares, count = np.zeros(shape[0]), np.zeros(shape[0]), 0
    for number, first in enumerate(range(0, len(images), SHARD)):
        rows = min(SHARD, len(images) - first)
        shard = np.lib.format.open_memmap(
            folder / f"latents-{number:05d}.npy",
            mode="w+",
            dtype=np.float32,
            shape=(rows, views, 2, *shape),
        )
        for start in range(0, rows, _BATCH):
            stop = min(start + _BATCH, rows)
            x = to_float(images.images(range(first + start, first + stop))).to(device)
            for view in range(views):
                seen = x.flip(3) if view else x
                seen = seen.contiguous(memory_format=torch.channels_last)
                with (
                    torch.no_grad(),
                    torch.autocast(device.type, autocast_dtype, autocast_dtype is not None),
                ):
                    mean, std = autoencoder.encode_raw(seen)
                pair = torch.stack([mean, std], dim=1).float().cpu().numpy()
                shard[start:stop, view] = pair
                pair = pair.astype(np.float64)
                total += pair[:, 0].sum(axis=(0, 2, 3))
                squares += np.square(pair).sum(axis=(0, 1, 3, 4))
                count += pair.shape[0] * shape[1] * shape[2]
            if on_progress is not None:
                on_progress(first + stop, len(images))
        shard.flush()
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - np.square(mean), 1e-12))


def finish_latents(
    autoencoder: Autoencoder, images: ImageSet, folder: Path, *, mirror: bool, fingerprint: str
) -> LatentCache:
    """Normalise the shards in place by the autoencoder's shift and scale, and write the manifest.

    The manifest is written last: a folder without one is unfinished and is encoded again.
    """
    shift = autoencoder.shift.cpu().numpy()[:, None, None]
    scale = autoencoder.scale.cpu().numpy()[:, None, None]
    for number in range(-(-len(images) // SHARD)):
        path = folder / f"latents-{number:05d}.npy"
        shard = np.load(path, mmap_mode="r+", allow_pickle=False)
        for start in range(0, len(shard), 1024):
            part = shard[start : start + 1024]
            part[:, :, 0] = (part[:, :, 0] - shift) / scale
            part[:, :, 1] = part[:, :, 1] / scale
        shard.flush()
    save = partial(np.save, arr=images.labels, allow_pickle=False)
    write_atomic(folder / "labels.npy", save)
    manifest = {
        "count": len(images),
        "shape": list(autoencoder.latent_shape),
        "mirrored": mirror,
        "autoencoder": fingerprint,
        "images": images.fingerprint,
        "shift": shift.ravel().tolist(),
        "scale": scale.ravel().tolist(),
        "names": [entry.name for entry in images.entries],
    }
    write_atomic(folder / MANIFEST, json.dumps(manifest))
    return LatentCache(folder)
