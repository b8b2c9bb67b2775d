"""Maps of a frozen network for each training picture, that stage 2 aligns its tokens with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentbloom.errors import LatentbloomError
from latentbloom.foreign.bounds import check_place
from latentbloom.foreign.json_files import read_json
from latentbloom.latents.arrays import new_array
from latentbloom.storage.disk import remove, rename, step
from latentbloom.storage.files import write_atomic

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from latentbloom.data.imageset import ImageSet
    from latentbloom.losses.perceptual import PerceptualLoss

MAPS = "feature-maps.npy"
ABOUT = "feature-maps.json"
_BATCH = 64


class FeatureMaps:
    """Feature maps by index, memory-mapped float16; each channel has mean 0 and variance 1.

    Arguments:
        folder: Where `MAPS` and `ABOUT` lie.
        images: Fingerprint of the pictures that they have to belong to.
        grid: Places (h, w) of a map.

    Raises:
        LatentbloomError: They are missing, broken, or of other pictures or another grid.
    """

    def __init__(self, folder: Path, images: str, grid: tuple[int, int]) -> None:
        import torch

        try:
            about = read_json(folder / ABOUT, folder=folder)
            check_place(folder / MAPS, folder)
            self._maps = np.load(folder / MAPS, mmap_mode="r", allow_pickle=False)
            self._mean = torch.tensor(about["mean"], dtype=torch.float32)
            self._std = torch.tensor(about["std"], dtype=torch.float32)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LatentbloomError(f"{folder} holds no feature maps ({error}).") from None
        wanted = (about.get("count"), *grid, len(self._mean))
        if about.get("images") != images or self._maps.shape != wanted:
            raise LatentbloomError(f"The feature maps in {folder} are of other pictures.")

    @property
    def channels(self) -> int:
        """Features at a place."""
        return len(self._mean)

    def rows(self, indices: Sequence[int], mirrored: Sequence[int] | None = None) -> Tensor:
        """Features (B, h w, channels), float32; those of a mirror image are the mirrored map.

        Arguments:
            indices: Which pictures, (B,).
            mirrored: 1 for the mirror image; default none.
        """
        import torch

        flips = [0] * len(indices) if mirrored is None else mirrored
        found = np.stack(
            [
                self._maps[index][:, ::-1] if flip else self._maps[index]
                for index, flip in zip(indices, flips, strict=True)
            ]
        )
        x = torch.from_numpy(found).float().flatten(1, 2)
        return (x - self._mean) / self._std


def write_feature_maps(
    network: PerceptualLoss,
    images: ImageSet,
    folder: Path,
    grid: tuple[int, int],
    device: torch.device,
) -> None:
    """Write the maps of all pictures, once: what is there already, and fits, stays.

    The last map of the network is averaged to the grid. `ABOUT` is written last.

    Arguments:
        network: In evaluation mode, on the device.
        images: Training pictures.
        folder: Exists.
        grid: Places (h, w) of a map: one for each token.
        device: Where to compute.
    """
    import torch.nn.functional as F
    from torch import no_grad

    from latentbloom.data.pixels import to_float

    try:
        FeatureMaps(folder, images.fingerprint, grid)
    except LatentbloomError:
        remove(folder / ABOUT)
    else:
        return
    channels = network.channels[-1]
    beside = folder / f".{MAPS}"
    maps = new_array(beside, (len(images), *grid, channels), np.float16)
    total, squares = np.zeros(channels), np.zeros(channels)
    for start in range(0, len(images), _BATCH):
        stop = min(start + _BATCH, len(images))
        x = to_float(images.images(range(start, stop))).to(device)
        with no_grad():
            found = F.adaptive_avg_pool2d(network.features(x)[-1].float(), grid)
        part = found.permute(0, 2, 3, 1).cpu().numpy()
        maps[start:stop] = part
        total += part.sum(axis=(0, 1, 2), dtype=np.float64)
        squares += np.square(part, dtype=np.float64).sum(axis=(0, 1, 2))
    with step("sync", beside):
        maps.flush()
    del maps
    rename(beside, folder / MAPS)
    mean = total / (len(images) * grid[0] * grid[1])
    variance = squares / (len(images) * grid[0] * grid[1]) - np.square(mean)
    about: dict[str, Any] = {
        "images": images.fingerprint,
        "count": len(images),
        "mean": mean.tolist(),
        "std": np.sqrt(np.maximum(variance, 1e-6)).tolist(),
    }
    write_atomic(folder / ABOUT, json.dumps(about))
